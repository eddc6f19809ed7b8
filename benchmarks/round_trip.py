"""The round trip: a hospital with a known truth -> its history as an extract -> everything learned -> the twin.

Single wards with unlimited beds would not show wrong physics; here beds are short, patients board, and wards have
clocks, routes and day factors of their own.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.made_up import hospital, write_extract
from kaizar_pipeline import HospitalConfig, load_history
from kaizar_pipeline.chain.steps import prepare_backtest
from kaizar_pipeline.history.synthetic import simulate_history, under_truth
from kaizar_pipeline.patients.observed_census import observed_midnights
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables

AS_OF = pd.Timestamp("2026-10-01")

BY_DAY = (0.05,) * 7 + (0.2, 0.6, 1, 1.6, 2, 2, 2.2, 2.2, 2, 1.6, 1.2, 0.8, 0.5, 0.3, 0.2, 0.1, 0.05)
"""Weights of the hours of a ward that discharges in the afternoon."""

Figures = dict[str, float]


def truth(wards: list[dict[str, Any]], streams: list[dict[str, Any]], **parts: Any) -> HospitalConfig:
    """A synthetic hospital. Of a ward `los`, `discharge_clock`, `transfer_clock` and `day_factor` are its truth, and
    of a stream with `forecast: True` its weekdays; the arrivals of other streams are known, and add no error."""
    kinds = {"los": "los", "discharge_clock": "discharge_clocks", "transfer_clock": "transfer_clocks",
             "day_factor": "day_factors"}  # fmt: skip
    of_wards = {name: {w["id"]: w[key] for w in wards if key in w} for key, name in kinds.items()}
    of_streams = {
        s["id"]: {key: value for key, value in s.items() if key in ("mean_per_day", "weekday")}
        for s in streams
        if s.get("forecast")
    }
    patients = {"source": "synthetic", "history_start": parts.pop("history_start", "2024-06-01"),
                "truth": {"seed": parts.pop("seed", 1), "streams": of_streams, **of_wards}}  # fmt: skip
    own = [
        {key: value for key, value in ward.items() if key not in kinds} | {"los_model": {"type": "from_data"}}
        for ward in wards
    ]
    arrivals = [_stream(**stream) for stream in streams]
    kinds_of_patient = dict.fromkeys(stream["patient_type"] for stream in arrivals)
    return HospitalConfig.model_validate(
        {
            "id": "truth",
            "hospital": {"name": "Truth", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": patients,
            "wards": own,
            "patient_types": [{"id": kind} for kind in kinds_of_patient],
            "arrival_streams": arrivals,
        }
        | parts
    )


def _stream(
    id: str, target_ward: str, mean_per_day: float, forecast: bool = False, patient_type: str = "patient", **given: Any
) -> dict[str, Any]:
    model = {"type": "ml_poisson"} if forecast else {"type": "constant", "mean_per_day": mean_per_day}
    base = {"id": id, "target_ward": target_ward, "patient_type": patient_type, "model": model}
    return base | {"hourly_profile": [1] * 24} | given


def learned_from(config: HospitalConfig, as_of: pd.Timestamp, folder: Path, **parts: Any) -> HospitalConfig:
    """The hospital as a stranger would set it up who has its extract of `as_of` only, written to `folder`: patients
    and ward stays without the end of care. `parts` replace parts of the file."""
    patients, stays = simulate_history(config, as_of)
    seen = patients[["patient_id", "stream_id", "arrival", "departure"]]
    seen.set_axis(["id", "service", "arrival", "departure"], axis=1).to_csv(folder / "patients.csv", index=False)
    in_beds = stays.loc[stays["admit"].notna(), ["patient_id", "ward_id", "admit", "depart"]]
    in_beds.set_axis(["id", "ward", "admit", "depart"], axis=1).to_csv(folder / "stays.csv", index=False)
    file = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for stream in file["arrival_streams"]:
        if stream["model"]["type"] == "ml_poisson":
            del stream["hourly_profile"]
    columns = {"patient_id": "id", "arrival": "arrival", "departure": "departure", "service": "service"}
    stay_columns = {"patient_id": "id", "ward": "ward", "admit": "admit", "depart": "depart"}
    file["patients"] = {
        "source": "csv", "path": str(folder / "patients.csv"), "columns": columns, "pseudonym_key": "benchmark",
        "streams": {stream.id: stream.id for stream in config.arrival_streams}, "max_reject_share": 0.05,
        "complete_through": f"{as_of - pd.Timedelta(days=1):%Y-%m-%d}",
        "stays": {"path": str(folder / "stays.csv"), "columns": stay_columns},
    }  # fmt: skip
    return HospitalConfig.model_validate(file | parts)


def tables_of(config: HospitalConfig, as_of: pd.Timestamp, folder: Path) -> StartingTables:
    """All that the twin learns from the extract."""
    return StartingTables.of(prepare_backtest(load_history(config, folder, as_of.date()), config, folder))


def mean_census(config: HospitalConfig, tables: StartingTables, replications: int) -> Mapping[str, np.ndarray]:
    """f8[hours] by ward: the twin's mean census from as_of on."""
    start = StartingPoint(config, tables)
    counts = Experiment(start, workers=1).count(start.plan, replications)
    histograms = {name: np.asarray(counts.census.of(w), dtype=float) for w, name in enumerate(start.plan.ward_ids)}
    return {name: h @ np.arange(h.shape[1]) / h.sum(axis=1) for name, h in histograms.items()}


def long_run_census(config: HospitalConfig, years: int) -> dict[str, float]:
    """The true mean midnight census by ward, from a history of so many years."""
    patients = config.patients.model_copy(update={"history_start": (AS_OF - pd.DateOffset(years=years)).date()})
    seen = observed_midnights(
        *simulate_history(config.model_copy(update={"patients": patients}), AS_OF), config.ward_axis
    )
    settled = seen[seen["date"] >= seen["date"].min() + pd.Timedelta(days=56)]
    return {str(ward): float(census) for ward, census in settled.groupby("ward_id")["actual"].mean().items()}


def boarding(histories: int, replications: int) -> Figures:
    """An ICU without a clock before a ward that is often full and discharges by day: records hold no end of care, so
    that waiting for the ward must not be taken for care in the ICU.

    The census of the fifth to eighth week is compared with that of the true hospital, simulated from the same patients
    with the same random numbers: the queue is slow to settle, so that a long run of the truth is no closer answer.
    """
    found, true, clocks = [], [], []
    for seed in range(1, histories + 1):
        config = icu_before_ward(seed)
        with TemporaryDirectory() as folder:
            learned = learned_from(config, AS_OF, Path(folder))
            tables = tables_of(learned, AS_OF, Path(folder))
        nothing = tables._replace(length_of_stay=None, discharge_clocks=None, day_factors=None)
        for censuses, hospital_, given in ((found, learned, tables), (true, under_truth(config), nothing)):
            censuses.append(mean_census(hospital_, given, replications)["icu"][28 * 24 :].mean())
        assert tables.discharge_clocks is not None
        origins = tables.discharge_clocks.groupby(["ward_id", "way"])["origin"].first()
        clocks.append(origins["icu", "onward"] == "flat" and origins["ward", "home"] == "from_data")
    ratio = np.array(found) / np.array(true)
    return {
        "icu_census_ratio": float(np.mean(found) / np.mean(true)),
        "icu_census_ratio_error": float(ratio.std(ddof=1) / np.sqrt(histories)),
        "icu_true_census": float(np.mean(true)),
        "icu_true_census_of_40_years": long_run_census(icu_before_ward(1), years=40)["icu"],
        "icu_clocks_right": float(np.mean(clocks)),
    }


def icu_before_ward(seed: int) -> HospitalConfig:
    """The hospital of `boarding`: 72 hours in the ICU, then the ward, which others go to as well."""
    return truth(
        [
            {"id": "icu", "capacity": 12, "los": {"type": "exponential", "params": {"mean": 72}}},
            {
                "id": "ward",
                "capacity": 24,
                "los": {"type": "lognormal", "unit": "days", "params": {"mean": 5, "sd": 4}},
                "discharge_clock": {"hours": BY_DAY, "weekday": {"Sat": 0.6, "Sun": 0.6}},
            },
        ],
        [
            {"id": "intensive", "target_ward": "icu", "mean_per_day": 2},
            {"id": "acute", "target_ward": "ward", "mean_per_day": 2.2, "patient_type": "other"},
        ],
        routing=[{"from_ward": "icu", "patient_type": "patient", "options": [{"to_ward": "ward", "probability": 1.0}]}],
        simulation={"overload": "allow", "horizon_days": 56},
        seed=seed,
    )


def routes(histories: int, replications: int) -> Figures:
    """A ward from which 30 % of the patients go on to an ICU, which the file does not say (`routing: from_data`).

    The census of the ICU on day 27 is compared with that of the true hospital, simulated from the same patients with
    the same random numbers; and the learned share with the true one.
    """
    found, true, shares, scores = [], [], [], []
    for seed in range(1, histories + 1):
        config = ward_before_icu(seed)
        with TemporaryDirectory() as folder:
            learned = learned_from(config, AS_OF, Path(folder), routing="from_data")
            tables = tables_of(learned, AS_OF, Path(folder))
        nothing = tables._replace(length_of_stay=None, discharge_clocks=None, day_factors=None, routes=None)
        for censuses, hospital_, given in ((found, learned, tables), (true, under_truth(config), nothing)):
            censuses.append(mean_census(hospital_, given, replications)["icu"][27 * 24 : 28 * 24].mean())
        assert tables.routes is not None
        rows = tables.routes.set_index(["ward_id", "next_ward_id"])
        share, weight = (float(rows[name].to_dict()["ward", "icu"]) for name in ("probability", "weight"))
        shares.append(share)
        scores.append((share - ONWARD) / np.sqrt(ONWARD * (1 - ONWARD) / weight))
    ratio = np.array(found) / np.array(true)
    return {
        "routes_icu_mean_ratio": float(np.mean(found) / np.mean(true)),
        "routes_icu_mean_ratio_error": float(ratio.std(ddof=1) / np.sqrt(histories)),
        "routes_true_census": float(np.mean(true)),
        "routes_share": float(np.mean(shares)),
        "routes_share_error_ratio": float(np.sqrt(np.mean(np.square(scores)))),
    }


ONWARD = 0.3
"""Share of the ward's patients in `routes` who go on to the ICU."""


def ward_before_icu(seed: int) -> HospitalConfig:
    """The hospital of `routes`: a ward that discharges by day, then for some an ICU."""
    return truth(
        [
            {
                "id": "ward",
                "capacity": 45,
                "los": {"type": "lognormal", "unit": "days", "params": {"mean": 5, "sd": 4}},
                "discharge_clock": {"hours": BY_DAY, "weekday": {"Sat": 0.6, "Sun": 0.6}},
            },
            {"id": "icu", "capacity": 12, "los": {"type": "exponential", "params": {"mean": 72}}},
        ],
        [{"id": "acute", "target_ward": "ward", "mean_per_day": 7}],
        routing=[{"from_ward": "ward", "options": [{"to_ward": "icu", "probability": ONWARD}]}],
        simulation={"overload": "allow", "horizon_days": 28},
        seed=seed,
    )


def new_service(histories: int) -> Figures:
    """A stream that opened 20 days ago at 20 patients a day, beside one of 500 days: the mean rate that is forecast for
    the next 28 days."""
    rates = []
    for seed in range(histories):
        rng = np.random.default_rng(seed)
        opened = AS_OF - pd.Timedelta(days=20)
        frames = []
        for service, first in (("old", AS_OF - pd.Timedelta(days=500)), ("new", opened)):
            days = np.repeat(pd.date_range(first, AS_OF, inclusive="left"), rng.poisson(20, (AS_OF - first).days))
            arrival = days + pd.to_timedelta(rng.integers(0, 86_400, len(days)), unit="s")
            departure = arrival + pd.to_timedelta(rng.integers(3600, 7 * 3600, len(days)), unit="s")
            frames.append(pd.DataFrame({"service": service, "arrival": arrival, "departure": departure}))
        with TemporaryDirectory() as folder:
            path = Path(folder) / "patients.csv"
            write_extract(pd.concat(frames), AS_OF, path)
            columns = {"patient_id": "id", "arrival": "arrival", "departure": "departure", "service": "service"}
            config = hospital(
                {"source": "csv", "path": str(path), "columns": columns, "pseudonym_key": "benchmark",
                 "streams": {"old": "old", "new": "new"}},
                [{"id": "ward", "capacity": None, "los_model": {"type": "exponential", "params": {"mean": 4}}}],
                [{"id": "old", "target_ward": "ward"}, {"id": "new", "target_ward": "ward"}],
            )  # fmt: skip
            ahead = tables_of(config, AS_OF, Path(folder)).arrival_rates
        of_new = ahead[(ahead["stream_id"] == "new") & (ahead["path"] == 0)]
        rates.append(float(of_new["mean_rate"].mean()))
    error = np.std(rates, ddof=1) / np.sqrt(histories)
    return {"new_service_rate": float(np.mean(rates)), "new_service_rate_error": float(error)}
