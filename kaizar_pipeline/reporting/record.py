"""How far to trust the forecasts, from their scores: what held, what did not, and where simpler methods were closer."""

from collections.abc import Iterator

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.planning.census_backtest import TWIN
from kaizar_pipeline.reporting.numbers import Cells, Sentence, constant, count, hundredths, joined, percent, tenths
from kaizar_pipeline.reporting.words import METHODS, Name, labels, whole
from kaizar_pipeline.tables import HOSPITAL_TOTAL

SCORES, ISSUED, CHANCES = "occupancy_scores", "forecast_log_scores", "full_scores"
MIDNIGHT, WEEK = 0, 1
ENOUGH_TRIALS = 5
"""Independent origins from which on the issued forecasts are judged by themselves."""
CLEAR = 3
"""Standard errors from which on a bias is not chance."""
_LOSSES = 6
"""Losses that are named."""


def trust(cells: Cells, config: HospitalConfig) -> Sentence:
    """How far to trust the page: the issued forecasts where there are enough, else the back-test."""
    trials = cells.value(ISSUED, "independent_dates", HOSPITAL_TOTAL, WEEK)
    if trials is not None and trials >= ENOUGH_TRIALS:
        held = _held(
            cells,
            ISSUED,
            "The forecasts of the last {window} days were compared with what happened, from {origins} of them",
            HOSPITAL_TOTAL,
            WEEK,
        )
    elif cells.value(SCORES, "coverage80", TWIN, HOSPITAL_TOTAL, MIDNIGHT, WEEK) is not None:
        held = _held(
            cells,
            SCORES,
            "Forecasts from {origins} past days were compared with what happened",
            TWIN,
            HOSPITAL_TOTAL,
            MIDNIGHT,
            WEEK,
        )
    else:
        return Sentence(
            "No forecast has been compared with what happened yet, so nothing is known of how good they are."
        )
    return joined([held, *_off(cells, config), *_biased(cells, config)])


def _held(cells: Cells, table: str, of: str, *key: object) -> Sentence:
    """How often the intervals of the hospital's census held."""
    return Sentence(
        of
        + ": the {interval} interval of the census of the hospital at midnight, up to a week ahead, held {held} of {n}"
        " times.",
        window=constant("log_days", count),
        interval=constant("interval"),
        held=cells.number(table, "coverage80", *key, shown=percent),
        origins=cells.number(table, "origins", *key),
        n=cells.number(table, "n", *key),
    )


def _weekly(cells: Cells, config: HospitalConfig) -> pd.DataFrame:
    """The scores of the wards' midnights in the first week."""
    scores = cells.rows(SCORES, method=TWIN, hour=MIDNIGHT, lead_week=WEEK)
    return scores[scores["ward_id"].isin(config.ward_ids)]


def _off(cells: Cells, config: HospitalConfig) -> Iterator[Sentence]:
    """Wards whose intervals held less or more often than chance explains."""
    scores = _weekly(cells, config)
    names = labels(config)
    for wards, how in (
        (scores[scores["coverage80"] < scores["coverage80_low"]], "too rarely"),
        (scores[scores["coverage80"] > scores["coverage80_high"]], "too often"),
    ):
        if len(wards):
            yield Sentence(
                f"{how.capitalize()} they held in {{wards}}.",
                wards=joined([Sentence("{w}", w=Name(names[ward])) for ward in wards["ward_id"]], ", "),
            )


def _biased(cells: Cells, config: HospitalConfig) -> Iterator[Sentence]:
    """Wards whose forecasts were clearly too high or too low."""
    scores = _weekly(cells, config)
    clear = scores[scores["bias"].abs() > CLEAR * scores["bias_se"]]
    for ward in clear["ward_id"]:
        bias = cells.value(SCORES, "bias", TWIN, ward, MIDNIGHT, WEEK)
        if bias is not None:  # hidden ones are left out
            yield Sentence(
                f"In {{ward}} they were {{bias}} beds too {'high' if bias > 0 else 'low'}.",
                ward=Name(labels(config)[ward]),
                bias=cells.number(SCORES, "bias", TWIN, ward, MIDNIGHT, WEEK, shown=lambda value: tenths(abs(value))),
            )


def losses(cells: Cells, config: HospitalConfig) -> list[Sentence]:
    """Where a simpler method was closer, the clearest first."""
    return [*_census_losses(cells, config), *_chance_losses(cells, config), *_arrival_losses(cells)]


def _census_losses(cells: Cells, config: HospitalConfig) -> list[Sentence]:
    scores = cells.rows(SCORES, hour=MIDNIGHT)
    scores = scores[scores["ward_id"].isin([*config.ward_ids, *config.groups, *whole(config)])]
    if scores.empty:
        return []
    keys = ["ward_id", "lead_week"]
    scores = scores[scores["lead_week"] > 0]
    ours = scores[scores["method"] == TWIN].set_index(keys)["crps"]
    others = scores[scores["method"] != TWIN].sort_values("crps", kind="stable").drop_duplicates(keys)
    others = others.assign(ours=ours.reindex(pd.MultiIndex.from_frame(others[keys])).to_numpy())
    lost = others[others["crps"] < others["ours"]]
    lost = lost.assign(by=lost["crps"] / lost["ours"]).sort_values("by", kind="stable").head(_LOSSES)
    names = labels(config)
    return [
        Sentence(
            "{ward}, week {week}: {method} missed by {theirs} beds on average, the forecast by {ours}.",
            ward=Name(names[ward]),
            week=cells.number(SCORES, "lead_week", TWIN, ward, MIDNIGHT, week),
            method=METHODS[method],
            theirs=cells.number(SCORES, "crps", method, ward, MIDNIGHT, week, shown=hundredths),
            ours=cells.number(SCORES, "crps", TWIN, ward, MIDNIGHT, week, shown=hundredths),
        )
        for method, ward, week in zip(lost["method"], lost["ward_id"], lost["lead_week"], strict=True)
    ]


def _chance_losses(cells: Cells, config: HospitalConfig) -> list[Sentence]:
    scores = cells.rows(CHANCES, source="backtest", level="_full", days_ahead="all")
    scores = scores[scores["skill"] < 0]
    names = [labels(config)[ward] for ward in scores["ward_id"] if ward in config.ward_ids]
    if not names:
        return []
    wards = joined([Sentence("{w}", w=Name(name)) for name in names], ", ")
    return [Sentence("Chances of being full were no closer than each weekday's own record: {wards}.", wards=wards)]


def _arrival_losses(cells: Cells) -> Iterator[Sentence]:
    scores = cells.rows("forecast_scores", span="day", horizon_week=0)
    best = scores[scores["rank"] == 1].drop_duplicates("stream_id")
    for stream, method in zip(best["stream_id"], best["method"], strict=True):
        if method != "model":
            yield Sentence(
                "Arrivals of {stream}: {method} missed by {theirs} patients a day on average, the forecast by {ours}.",
                stream=Name(stream.replace("_", " ")),
                method=METHODS[method],
                theirs=cells.number("forecast_scores", "crps", stream, method, "day", 0, shown=hundredths),
                ours=cells.number("forecast_scores", "crps", stream, "model", "day", 0, shown=hundredths),
            )
