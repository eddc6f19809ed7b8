"""What changed since the last run: the headline of both, and how much of the difference each factor explains.

The headline of a ward is the chance that it is full at some hour of a day, a mean over the next seven days, and its p95
census, a mean over their hours: every hour of the week occurs once, whatever the origin. A run stores all inputs of its
headline; the next one simulates these again and replaces them by its own, a factor at a time
(docs/explanation/changes.md).
Percentiles are not means over replications, so standard errors are jackknifed: both neighbours are measured again
without each of GROUPS groups of consecutive replications (Shao and Wu 1989: for percentiles the groups must not be
small).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.learned_hours import with_learned_hours
from kaizar_pipeline.config.snapshot import dates_ahead, shown
from kaizar_pipeline.errors import KaizarError
from kaizar_pipeline.forecasting.arrivals_so_far import arrivals_so_far
from kaizar_pipeline.forecasting.rates import forecast_rates
from kaizar_pipeline.patients.starting_census import starting_census
from kaizar_pipeline.simulation.counting import Counts, staffed_with_totals
from kaizar_pipeline.simulation.experiment import fingerprint
from kaizar_pipeline.simulation.monte_carlo import GROUPS, MonteCarlo, extend_all, group_ends, threads
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
from kaizar_pipeline.simulation.trajectories import FULL_LEVEL
from kaizar_pipeline.stats.quantiles import inverted_cdf
from kaizar_pipeline.tables import HEADLINE_CHANGES, HEADLINE_INPUTS, TABLES

DAYS = 7
"""Days ahead that the headline looks at."""

HEADLINES = {"prob_full_day": "probability", "p95_census": "beds"}
"""What the headline of a ward consists of, with its unit."""

_WHOLE = ("arrival_profile", "discharge_clocks", "day_factors", "length_of_stay", "routes")
"""Tables that a headline needs whole."""

FACTORS = {
    "seed": ("seed",),
    "config": ("config", "replications"),
    "data": ("as_of", "patients", "ward_stays", "known_until", "feature_table"),
    "model": ("arrival_model", *_WHOLE),
}
"""What a headline depends on, in the order of replacement, with the inputs that belong to it."""

PARTS = ("program", *FACTORS)
"""What a change is split into; program: the difference between the last run's headline and its replay."""

_OTHER_VERSION = "another version of the program kept the inputs of the last run"

Inputs = Mapping[str, str]
"""All that a headline depends on, by name, each as JSON text: equal texts are equal inputs."""


@dataclass(frozen=True)
class HeadlineChanges:
    """The two tables that each run adds to."""

    headline_changes: pd.DataFrame
    headline_inputs: pd.DataFrame

    @property
    def latest(self) -> pd.DataFrame:
        """The rows of headline_changes about the newest run."""
        return self.headline_changes[self.headline_changes["run_number"] == self.headline_inputs["run_number"].max()]


def inputs_of_headline(config: HospitalConfig, tables: Mapping[str, pd.DataFrame]) -> Inputs:
    """All that the headline of a run depends on, and of its `tables` only the rows that are needed."""
    patients, ward_stays, features, model = (
        tables[name] for name in ("patients", "ward_stays", "feature_table", "arrival_model")
    )
    settings = config.model_dump(mode="json")
    seed = settings["simulation"].pop("seed")
    del settings["simulation"]["snapshot"]  # as_of says it
    present = starting_census(patients, ward_stays)["patient_id"]
    as_of = pd.Timestamp(patients["as_of"].iloc[0])
    known = patients["patient_id"].isin(present) | (patients["arrival"] >= as_of.normalize())
    open_stays = ward_stays["depart"].isna() & ward_stays["patient_id"].isin(present)
    ahead = (features["use"] == "forecast") & (features["h"] <= len(dates_ahead(as_of, _days(config))))
    return {
        "as_of": json.dumps(as_of, default=_plain),
        "seed": json.dumps(seed),
        "config": json.dumps(settings),
        "patients": _as_text(patients[known]),
        "ward_stays": _as_text(ward_stays[open_stays]),
        "feature_table": _as_text(features[ahead]),
        "known_until": json.dumps(dict(zip(model["stream_id"], model["train_to"], strict=True)), default=_plain),
        "arrival_model": _as_text(model.drop(columns="train_to")),
        **{name: _as_text(tables[name]) for name in _WHOLE},
    }


def compare_headlines(
    changes: pd.DataFrame | None,
    kept: pd.DataFrame | None,
    inputs: Inputs,
    replications: int,
    *,
    workers: int | None = None,
) -> HeadlineChanges:
    """The tables headline_changes and headline_inputs with the run of `inputs` (`inputs_of_headline`) added.

    `changes` and `kept` are these tables so far, None for none; `replications` are those of the published tables, and
    an input like the others. The last run is the last one with other inputs: a run of the same ones replaces its own
    rows, by the same.
    """
    inputs = {**inputs, "replications": json.dumps(replications)}
    changes = HEADLINE_CHANGES.empty() if changes is None else changes
    kept = HEADLINE_INPUTS.empty() if kept is None else kept
    runs = {int(number): _inputs(kept[kept["run_number"] == number]) for number in kept["run_number"].unique()}
    newest = max([*runs, *changes["run_number"]], default=0)
    number = newest if runs.get(newest) == inputs else newest + 1
    last = runs.get(number - 1)
    constants = {"hospital_id": _config(inputs).id, "as_of": _as_of(inputs)}
    rows = _compared(last, changes[changes["run_number"] == number - 1], inputs, workers)
    rows = rows.assign(run_number=number, origin=_as_of(inputs), replications=replications, **constants)
    keep = [(run, *item) for run, of in ((number - 1, last), (number, inputs)) if of for item in of.items()]
    return HeadlineChanges(
        HEADLINE_CHANGES.frame(
            pd.concat([changes[changes["run_number"] != number], HEADLINE_CHANGES.frame(rows)]), **constants
        ),
        HEADLINE_INPUTS.frame(pd.DataFrame(keep, columns=["run_number", "input", "content"]), **constants),
    )


def changes_in_words(latest: pd.DataFrame, ward_ids: Collection[str]) -> str:
    """'icu: full at some hour of 34 % of the next 7 days, +4.0 points since the last run (as of 2026-04-01), of which
    program 0, seed 0, config 0, data +3.0, model +1.0', for the ward whose chance changed most, of the latest rows."""
    rows = latest[(latest["headline"] == "prob_full_day") & latest["ward_id"].isin(list(ward_ids))]
    if rows.empty:
        return "no ward with limited beds"
    row = rows.loc[(rows["change"].abs().fillna(0) + 1e-9 * rows["after"]).idxmax()]
    words = f"{row['ward_id']}: full at some hour of {row['after']:.0%} of the next {DAYS} days"
    if pd.notna(row["change"]):
        words += f", {points(row['change'])} points since the last run (as of {shown(row['since'])})"
    if pd.notna(row["note"]):
        return f"{words}; not split: {row['note']}"
    return f"{words}, of which " + ", ".join(f"{part} {points(row[part])}" for part in PARTS)


def markdown_table(latest: pd.DataFrame) -> str:
    """The latest rows as a Markdown table, probabilities in per cent and percentage points."""
    columns = ("ward_id", "headline", "before", "after", "change", *PARTS, "note")
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for _, row in latest.sort_values(["headline", "ward_id"], ascending=[False, True]).iterrows():
        share = row["headline"] == "prob_full_day"
        levels = [_level(row[name], share) for name in ("before", "after")]
        differences = [_difference(row[name], share) for name in ("change", *PARTS)]
        note = "" if pd.isna(row["note"]) else str(row["note"])
        lines.append("| " + " | ".join([row["ward_id"], row["headline"], *levels, *differences, note]) + " |")
    return "\n".join(lines)


def _level(value: float, share: bool) -> str:
    return "" if pd.isna(value) else f"{value:.1%}" if share else f"{value:.1f}"


def _difference(value: float, share: bool) -> str:
    return "" if pd.isna(value) else points(value if share else value / 100)


def points(share: float) -> str:
    """A difference of probabilities in percentage points, '+4.0', or '0' below a twentieth of one."""
    rounded = round(100 * share, 1)
    return f"{rounded:+.1f}" if rounded else "0"


def _days(config: HospitalConfig) -> int:
    return min(DAYS, config.simulation.horizon_days)


def _plain(value: Any) -> Any:
    """What JSON does not know: a time, or a number or array of numpy."""
    return value.isoformat(timespec="microseconds") if isinstance(value, pd.Timestamp) else value.tolist()


def _as_text(table: pd.DataFrame) -> str:
    cells = table.drop(columns=["hospital_id", "as_of"]).astype("object")
    return json.dumps(cells.where(cells.notna(), None).to_dict("list"), default=_plain)


def _as_of(inputs: Inputs) -> pd.Timestamp:
    return pd.Timestamp(json.loads(inputs["as_of"]))


def _inputs(kept: pd.DataFrame) -> Inputs:
    return dict(zip(kept["input"], kept["content"], strict=True))


def _config(inputs: Inputs) -> HospitalConfig:
    settings = json.loads(inputs["config"])
    settings["simulation"]["seed"] = json.loads(inputs["seed"])
    return HospitalConfig.model_validate(settings)


def _table(inputs: Inputs, name: str, config: HospitalConfig) -> pd.DataFrame:
    rows = pd.DataFrame(json.loads(inputs[name]))
    if name == "arrival_model":  # the day up to which arrivals are known belongs to the data
        rows["train_to"] = rows["stream_id"].map(json.loads(inputs["known_until"]))
    return TABLES[name].frame(rows, hospital_id=config.id, as_of=_as_of(inputs))


@dataclass(frozen=True)
class _Headlines:
    """The headlines of one simulation."""

    wards: list[str]
    """In the order of their names, then the groups, and the whole hospital last."""
    values: np.ndarray
    """f8[wards, HEADLINES], NaN for prob_full_day of unlimited beds."""
    without: np.ndarray
    """f8[groups, wards, HEADLINES]: the same without each group of replications."""


def _compared(last: Inputs | None, reported: pd.DataFrame, now: Inputs, workers: int | None) -> pd.DataFrame:
    """A row per ward and headline, with the parts of its change where they are known, and a note where not; `reported`
    are the rows of the last run."""
    found, note = _simulate_steps(last, now, workers)
    after, keys = found[-1], ["ward_id", "headline"]
    index = pd.MultiIndex.from_product([after.wards, HEADLINES], names=keys)
    rows = pd.DataFrame({"after": after.values.ravel(), "after_se": _error(after.without)}, index)
    rows = rows.reindex(columns=[name for name in HEADLINE_CHANGES.column_names if name not in ("run_id", *keys)])
    rows["unit"] = index.get_level_values("headline").map(HEADLINES)
    if last is not None:
        rows["since"] = _as_of(last)
        rows["before"] = reported.set_index(keys)["after"].reindex(index)
    if note is None:
        replayed = pd.Series(found[0].values.ravel(), index)
        rows["before"] = rows["before"].fillna(replayed)  # a run that was killed before its headline was stored
        known = rows["before"].notna()
        split = {"program": replayed - rows["before"], **_split(found)}
        rows[list(split)] = pd.DataFrame(split, index).where(known)
        rows["note"] = known.map({True: None, False: "no limit of beds in the last run"})
    else:
        rows["note"] = note
    rows["change"] = rows["after"] - rows["before"]
    return rows[rows["after"].notna()].reset_index()


def _split(found: Sequence[_Headlines]) -> dict[str, np.ndarray]:
    """What each factor changed, with standard errors, and that of all of them together."""
    columns = {"change_se": _error(found[-1].without - found[0].without)}
    for factor, (one, other) in zip(FACTORS, pairwise(found), strict=True):
        columns[factor] = (other.values - one.values).ravel()
        columns[f"{factor}_se"] = _error(other.without - one.without)
    return columns


def _simulate_steps(last: Inputs | None, now: Inputs, workers: int | None) -> tuple[list[_Headlines], str | None]:
    """The headlines of the last run, after the replacement of each factor, and last of this run; or of this run alone,
    and the reason."""
    note = _obstacle(last, now)
    if last is not None and note is None:
        steps = [last]
        for names in FACTORS.values():
            steps.append({**steps[-1], **{name: now[name] for name in names}})
        try:
            return _simulate_all(steps, workers), None
        except KaizarError as error:
            note = f"inputs of both runs do not go together: {error}"
    return _simulate_all([now], workers), note


def _obstacle(last: Inputs | None, now: Inputs) -> str | None:
    """Why the steps from the last run to this one cannot be simulated, None if they can."""
    if last is None:
        return "first run"
    if last.keys() != now.keys():
        return _OTHER_VERSION
    try:
        before, after = _shape(_config(last)), _shape(_config(now))
    except ValidationError:
        return _OTHER_VERSION
    other = [what for what in after if before[what] != after[what]]
    return f"other {', '.join(other)} than in the last run" if other else None


def _shape(config: HospitalConfig) -> dict[str, object]:
    """What two runs must have in common so that the data of one make sense in the config of the other."""
    return {
        "wards": set(config.ward_ids),
        "patient types": set(config.patient_type_ids),
        "streams": {(stream.id, stream.is_forecast) for stream in config.arrival_streams},
        "days ahead": _days(config),
    }


def _simulate_all(steps: Sequence[Inputs], workers: int | None) -> list[_Headlines]:
    """The headlines of each step. Equal plans are simulated once; all have as many groups of replications, so that one
    group can be left out of two of them."""
    groups = min(GROUPS, *(json.loads(step["replications"]) for step in steps))
    runs: dict[tuple[bytes, int], MonteCarlo] = {}
    keys: list[tuple[bytes, int]] = []
    for step in steps:
        plan = _plan(step)
        keys.append((fingerprint(plan), json.loads(step["replications"])))
        runs.setdefault(keys[-1], MonteCarlo(plan, with_demand=False))
    ends = [group_ends(replications, groups) for _, replications in runs]
    counts = [
        [run.actual for run in extend_all(zip(runs.values(), group, strict=True), threads("compiled", workers))]
        for group in zip(*ends, strict=True)
    ]
    found = {key: _headlines(runs[key].plan, of) for key, of in zip(runs, zip(*counts, strict=True), strict=True)}
    return [found[key] for key in keys]


def _plan(inputs: Inputs) -> Plan:
    """The plan of the days of the headline, from stored inputs. It is not the plan of the published tables, which has
    more days; its replications are theirs all the same, since each number has its own address."""
    config = _config(inputs)
    simulation = config.simulation.model_copy(update={"horizon_days": _days(config)})
    week = config.model_copy(update={"simulation": simulation})
    patients, ward_stays, features, model = (
        _table(inputs, name, week) for name in ("patients", "ward_stays", "feature_table", "arrival_model")
    )
    given = {name: _table(inputs, name, week) for name in _WHOLE}
    so_far = arrivals_so_far(patients, with_learned_hours(week, given["arrival_profile"])) if len(patients) else {}
    rates = forecast_rates(model, features, pd.DataFrame({"as_of": [_as_of(inputs)]}), week, so_far)
    tables = StartingTables(rates, starting_census=starting_census(patients, ward_stays), **given)
    return StartingPoint(week, tables).plan


def _headlines(plan: Plan, counts: Sequence[Counts]) -> _Headlines:
    """From the counts after each further group of replications; over whole dates, and whole days from as_of on."""
    hours, whole = plan.statistics_hours // HOURS_PER_DAY * HOURS_PER_DAY, plan.horizon.hours_by_date == HOURS_PER_DAY
    wards, limited = plan.ward_axis, np.all(staffed_with_totals(plan) < UNLIMITED, axis=1)
    order = [*sorted(range(len(plan.ward_ids)), key=lambda w: wards[w]), *range(len(plan.ward_ids), len(wards))]
    values, without = [], []
    for w in order:
        census = _padded([of.census.of(w)[:hours] for of in counts])
        full = np.stack([of.reached[w, FULL_LEVEL, whole] for of in counts]) * (1.0 if limited[w] else np.nan)
        values.append(_headline(census[-1], full[-1]))
        rest = zip(_leaving_out(census), _leaving_out(full), strict=True)
        without.append([_headline(*parts) for parts in rest])
    return _Headlines([wards[w] for w in order], np.array(values), np.array(without).swapaxes(0, 1))


def _padded(states: Sequence[np.ndarray]) -> np.ndarray:
    """u4[groups, hours, patients] from histograms of growing width."""
    width = states[-1].shape[1]
    return np.stack([np.pad(state, ((0, 0), (0, width - state.shape[1]))) for state in states])


def _leaving_out(states: np.ndarray) -> np.ndarray:
    """The last of the states without what each adds."""
    return states[-1] - np.diff(states, axis=0, prepend=np.zeros_like(states[:1]))


def _headline(histogram: np.ndarray, full: np.ndarray) -> tuple[float, float]:
    """Means over the days of the chance of being full at some hour, from the replications that are, f8[days], and over
    the hours of p95, from u4[hours, beds]."""
    return full.mean() / histogram[0].sum(), inverted_cdf(np.cumsum(histogram, axis=1), 0.95).mean()


def _error(without: np.ndarray) -> np.ndarray:
    """Jackknife standard error from the values without each group, flat."""
    groups = len(without)
    return np.sqrt((groups - 1) / groups * ((without - without.mean(axis=0)) ** 2).sum(axis=0)).ravel()
