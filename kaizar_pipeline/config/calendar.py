"""What the config says of days: public holidays, and the rates of streams that follow a schedule."""

import holidays
import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import ArrivalStream, Constant, HospitalInfo, Schedule


def public_holidays(hospital: HospitalInfo, dates: pd.DatetimeIndex) -> np.ndarray:
    """bool per date: whether it is a public holiday where the hospital stands."""
    if len(dates) == 0:
        return np.zeros(0, dtype=bool)
    years = range(dates.min().year, dates.max().year + 1)
    known = holidays.country_holidays(hospital.country, subdiv=hospital.subdivision, years=years)
    return np.isin(dates.to_numpy().astype("datetime64[D]"), np.array(sorted(known), dtype="datetime64[D]"))


def configured_rates(stream: ArrivalStream, hospital: HospitalInfo, dates: pd.DatetimeIndex) -> np.ndarray:
    """f8 per date: mean arrivals per day of a schedule or constant stream, its month factors included."""
    model = stream.model
    match model:
        case Schedule():
            listed = dates.day_of_week.isin(model.weekdays)
            if not model.on_holidays:
                listed &= ~public_holidays(hospital, dates)
            rates = np.where(listed, model.mean_per_day, 0.0)
        case Constant():
            rates = np.full(len(dates), model.mean_per_day)
        case _:
            raise TypeError(f"stream {stream.id} is forecast: the config does not say its rates")
    return rates * dates.month.map(lambda month: stream.scale_factor_by_month.get(month, 1.0)).to_numpy(dtype=float)
