"""The steps from the records to all that simulations start from: what happened, and what is learned from it."""

from functools import partial

import pandas as pd

from kaizar_pipeline import tables as t
from kaizar_pipeline.chain.step import Figures, Made, Run
from kaizar_pipeline.config.learned_hours import with_learned_hours
from kaizar_pipeline.forecasting.arrivals_so_far import arrivals_so_far
from kaizar_pipeline.forecasting.features import make_feature_table
from kaizar_pipeline.forecasting.model import train_lgbm_poisson
from kaizar_pipeline.forecasting.notes import forecast_notes
from kaizar_pipeline.forecasting.rates import forecast_rates
from kaizar_pipeline.history.loading import load_history
from kaizar_pipeline.patients import starting_census as census
from kaizar_pipeline.patients.arrival_profile import hours_of_arrival
from kaizar_pipeline.patients.daily_arrivals import arrivals_per_day
from kaizar_pipeline.patients.discharge_clocks import discharges
from kaizar_pipeline.patients.length_of_stay import lengths_of_stay
from kaizar_pipeline.patients.routes import learned_in_words, routes_taken
from kaizar_pipeline.patients.ward_history import what_happened
from kaizar_pipeline.patients.ward_now import wards_now
from kaizar_pipeline.tables import HOSPITAL_TOTAL


def history(run: Run) -> Made:
    """The hospital's history: simulated, or read from its extract."""
    found = load_history(run.config, run.home, run.overrides.as_of)
    in_beds = int(census.starting_census(found.patients, found.ward_stays)["ward_id"].notna().sum())
    rejects = len(found.patient_rejects)
    if rejects:
        share = f", as many as {rejects / in_beds:.0%} of the {in_beds} patients in beds" if in_beds else ""
        run.warn(f"{rejects:,} rows of the extract are set aside{share}: see patient_rejects")
    for warning in found.warnings:
        run.warn(warning)
    if found.ignored:
        counts = ", ".join(f"{service} {rows:,}" for service, rows in found.ignored.items())
        run.inform(f"{sum(found.ignored.values()):,} rows are left out by patients.ignore: {counts}")
    tables = {name: getattr(found, name) for name in ("patients", "patient_rejects", "ward_stays")}
    figures = {"patients": {"days behind": found.days_behind, "in beds": in_beds}}
    return Made(tables, figures, {"as_of": found.as_of, "days_behind": found.days_behind})


def starting_census(run: Run, patients: pd.DataFrame, ward_stays: pd.DataFrame) -> Made:
    """The patients in the hospital at as_of, from whom the twin starts."""
    present = census.starting_census(patients, ward_stays)
    figures = {"in beds": int(present["ward_id"].notna().sum()), "waiting": int(present["waits_for"].notna().sum())}
    return Made({"starting_census": present}, {"starting_census": figures})


def ward_history(run: Run, patients: pd.DataFrame, ward_stays: pd.DataFrame, starting_census: pd.DataFrame) -> Made:
    """What happened in each ward on the last days, and how it stands at as_of."""
    happened = what_happened(patients, ward_stays, run.config)
    now = wards_now(starting_census, run.config, patients["as_of"].iloc[0])
    stands = now[now["ward_id"] == HOSPITAL_TOTAL].iloc[0]
    longest = t.LONG_STAY_NIGHTS[-1]
    figures: dict[str, Figures] = {
        "ward_now": {f"in the hospital for {longest} nights or more": int(stands[f"los_{longest}_plus"])}
    }
    rows = happened.ward_history
    whole = rows[
        (rows["ward_id"] == HOSPITAL_TOTAL) & (rows["quantity"] == "occupancy") & (rows["hour"] == t.ALL_HOURS)
    ]
    means = zip(whole["window_days"], whole["mean"], strict=True)
    figures["ward_history"] = {f"mean occupancy, {days} days": float(mean) for days, mean in means}
    return Made({**happened._asdict(), "ward_now": now}, figures)


def daily_arrivals(run: Run, patients: pd.DataFrame) -> Made:
    """Requests per stream and complete day."""
    arrivals = arrivals_per_day(patients, run.config)
    observed = arrivals[arrivals["observed"]]
    figures = {
        "mean per day": float(observed.groupby("date")["arrivals"].sum().mean()),
        "days of streams not observed": int((~arrivals["observed"]).sum()),
    }
    return Made({"daily_arrivals": arrivals}, {"daily_arrivals": figures})


def discharge_clocks(run: Run, patients: pd.DataFrame, ward_stays: pd.DataFrame) -> Made:
    """When patients leave: the clocks of discharges and transfers, and the factors of good and bad days."""
    found = discharges(patients, ward_stays, run.config)
    for warning in found.warnings:
        run.warn(warning)
    first = found.discharge_clocks.drop_duplicates(["ward_id", "way"])
    clocks = {
        f"{ward}, {way}": f"{origin}, {n:,} departures"
        for ward, way, origin, n in zip(first["ward_id"], first["way"], first["origin"], first["n"], strict=True)
        if origin in ("from_data", "pooled")
    }
    with_factor = found.day_factors[found.day_factors["sd"] > 0]
    factors = {f"sd of {ward}": float(sd) for ward, sd in zip(with_factor["ward_id"], with_factor["sd"], strict=True)}
    return Made(
        {"discharge_clocks": found.discharge_clocks, "day_factors": found.day_factors},
        {"discharge_clocks": {"clocks learned": len(clocks), **clocks}, "day_factors": factors},
    )


def arrival_profile(run: Run, patients: pd.DataFrame) -> Made:
    """Hours of arrival, as configured and as the history shows them."""
    profiles = hours_of_arrival(patients, run.config, fit_all=run.fit_all)
    sources = profiles[profiles["in_use"]].groupby("stream_id", sort=False)["source"].first()
    figures = {f"hours of {stream}": str(source) for stream, source in sources.items()}
    return Made({"arrival_profile": profiles}, {"arrival_profile": figures})


def length_of_stay(
    run: Run,
    patients: pd.DataFrame,
    ward_stays: pd.DataFrame,
    discharge_clocks: pd.DataFrame,
    arrival_profile: pd.DataFrame,
) -> Made:
    """Lengths of stay, as configured and as the history shows them."""
    lengths = lengths_of_stay(patients, ward_stays, run.config, discharge_clocks, arrival_profile, fit_all=run.fit_all)
    return Made({"length_of_stay": lengths}, {"length_of_stay": {"in use": int(lengths["in_use"].sum())}})


def routes(run: Run, patients: pd.DataFrame, ward_stays: pd.DataFrame) -> Made:
    """Where patients go after a ward, as configured and as the history shows it."""
    found = routes_taken(patients, ward_stays, run.config, fit_all=run.fit_all)
    return Made({"routes": found}, {"routes": learned_in_words(found)})


def feature_table(run: Run, daily_arrivals: pd.DataFrame) -> Made:
    """What the model is trained on and predicts from."""
    features = make_feature_table(daily_arrivals, run.config, run.home)
    figures = {f"{use} rows": int(n) for use, n in features["use"].value_counts().items()}
    return Made({"feature_table": features}, {"feature_table": figures})


def arrival_model(run: Run, daily_arrivals: pd.DataFrame, feature_table: pd.DataFrame) -> Made:
    """The trained model of every forecast stream."""
    model = run.trained(partial(train_lgbm_poisson, workers=run.overrides.workers), feature_table)
    trees = {f"trees of {stream}": int(n) for stream, n in zip(model["stream_id"], model["trees"], strict=True)}
    notes = {f"forecast of {stream}": note for stream, note in forecast_notes(model, daily_arrivals).items()}
    return Made({"arrival_model": model}, {"arrival_model": {**trees, **notes}})


def arrival_rates(
    run: Run,
    daily_arrivals: pd.DataFrame,
    feature_table: pd.DataFrame,
    arrival_model: pd.DataFrame,
    patients: pd.DataFrame,
    arrival_profile: pd.DataFrame,
) -> Made:
    """Rate paths of every stream for the days ahead; those of a day that has begun follow from its arrivals so far."""
    so_far = arrivals_so_far(patients, with_learned_hours(run.config, arrival_profile))
    rates = forecast_rates(arrival_model, feature_table, daily_arrivals, run.config, so_far)
    mean = rates[rates["path"] == 0].groupby("date")["mean_rate"].sum()
    figures = {"mean per day": float(mean.mean()), "days": len(mean)}
    today = rates[rates["date"] == rates["date"].min()].groupby("stream_id")["mean_rate"].first()
    for stream, day in so_far.items():
        figures[f"{stream} so far today"] = day.arrivals
        if not day.is_known(today[stream]):
            run.warn(
                f"{stream}: no arrival yet on the day of as_of, where {today[stream] * day.share:.0f} were due by then"
            )
    return Made({"arrival_rates": rates}, {"arrival_rates": figures})
