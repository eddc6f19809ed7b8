"""What changed since the last run, and what would help, in plain words."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.planning.headline_changes import PARTS
from kaizar_pipeline.reporting.numbers import Cells, Number, Sentence, count, joined, percent, signed
from kaizar_pipeline.reporting.words import Name, Quote, labels, whole

CHANGES, ALLOCATIONS = "headline_changes", "bed_allocations"
FULL_DAYS = "prob_full_day"
REASONS = {
    "program": "another version of the program",
    "seed": "another seed",
    "config": "changed settings",
    "data": "new patients, stays and arrivals",
    "model": "arrivals, stays and routes learned anew",
}
"""What a part of a change comes from, in words."""
_CHANCE, _HARDLY = "no more than chance", "Being full is hardly more or less likely than it was."
_FEW, _NAMED = 9, 3
CLEAR = 2
"""Standard errors from which on a change is more than chance."""


def points(value: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return signed(lambda share: count(100 * share))(value)


@dataclass(frozen=True)
class Change:
    """The change of one ward's headline."""

    label: Name
    change: Number
    before: Number
    after: Number
    why: Sentence | Quote
    is_clear: bool
    """Whether it is known to be more than chance."""


@dataclass(frozen=True)
class Changes:
    """What changed since the last run."""

    since: pd.Timestamp
    rows: list[Change]
    in_short: Sentence
    """The largest clear changes in one sentence."""
    are_all: bool
    """Whether all wards are in `rows`; else those of which the change is clear."""


def changes(cells: Cells, config: HospitalConfig) -> Changes | None:
    """The wards' and the hospital's changes, the largest first; None where there is no run to compare with."""
    rows = cells.rows(CHANGES)
    rows = rows[rows["run_number"] == rows["run_number"].max()]
    rows = rows[(rows["headline"] == FULL_DAYS) & rows["ward_id"].isin([*config.ward_ids, *whole(config)])]
    if rows.empty or rows["since"].isna().all():
        return None
    rows = rows.assign(size=rows["change"].abs().fillna(-1)).sort_values("size", ascending=False, kind="stable")
    names = labels(config)
    found = [_change(cells, row, Name(names[row["ward_id"]])) for _, row in rows.iterrows()]
    clear = [change for change in found if change.is_clear]
    few = len(found) <= _FEW
    return Changes(rows["since"].iloc[0], found if few else clear[:_FEW], _in_short(clear[:_NAMED]), few)


def _in_short(clear: list[Change]) -> Sentence:
    if not clear:
        return Sentence("Being full is as likely as it was: no change is more than chance.")
    said = []
    for how, sign in (("more", "+"), ("less", "−")):
        each = [
            Sentence("{ward} ({by} points)", ward=change.label, by=change.change)
            for change in clear
            if change.change.text.startswith(sign)
        ]
        said += [Sentence(f"{how} likely in {{each}}", each=joined(each, ", "))] if each else []
    return Sentence("Being full is {said}.", said=joined(said, "; ")) if said else Sentence(_HARDLY)


def _change(cells: Cells, row: pd.Series, label: Name) -> Change:
    key = (row["run_number"], row["ward_id"], FULL_DAYS)

    def number(column: str, shown: Callable[[float], str]) -> Number:
        return cells.number(CHANGES, column, *key, shown=shown)

    is_clear = pd.isna(row["note"]) and bool(row["program"] or abs(row["change"]) > CLEAR * row["change_se"])
    why = Quote(row["note"]) if pd.notna(row["note"]) else _why(row, number) if is_clear else Sentence(_CHANCE)
    return Change(label, number("change", points), number("before", percent), number("after", percent), why, is_clear)


def _why(row: pd.Series, number: Callable[[str, Callable[[float], str]], Number]) -> Sentence:
    """The parts that are more than chance."""
    clear = [part for part in PARTS if abs(row[part]) > CLEAR * row.get(f"{part}_se", 0.0)]
    clear.sort(key=lambda part: -abs(row[part]))
    if not clear:
        return Sentence("several small causes")
    if len(clear) == 1:
        return Sentence(REASONS[clear[0]])
    return joined([Sentence(f"{REASONS[part]}: {{by}}", by=number(part, points)) for part in clear], "; ")


def allocation(cells: Cells, config: HospitalConfig) -> list[Sentence]:
    """Where a few extra beds help most, and what is as good."""
    rows = cells.rows(ALLOCATIONS)
    return [one for extra in sorted(set(rows["extra_beds"])) for one in _allocation(cells, config, extra)]


def _allocation(cells: Cells, config: HospitalConfig, extra: int) -> list[Sentence]:
    rows = cells.rows(ALLOCATIONS, extra_beds=extra)
    best = rows[(rows["rank"] == 1) & (rows["beds_added"] > 0)]
    if best.empty:
        return []
    key = (extra, 1, best["ward_id"].iloc[0])
    beds = cells.number(ALLOCATIONS, "extra_beds", *key)
    if not best["prevented"].iloc[0] > CLEAR * best["prevented_se"].iloc[0]:
        return [Sentence("{beds} extra beds, wherever they are, would prevent no more harm than chance.", beds=beds)]
    said = Sentence(
        "{beds} extra beds help most as {places}: they prevent {prevented} of {harm} hours of harm, with a standard "
        "error of {error}.",
        beds=beds,
        places=_places(cells, config, best),
        prevented=cells.number(ALLOCATIONS, "prevented", *key),
        error=cells.number(ALLOCATIONS, "prevented_se", *key),
        harm=cells.number(ALLOCATIONS, "baseline_harm", *key),
    )
    others = rows[
        (rows["rank"] > 1) & (rows["beds_added"] > 0) & (rows["behind_best"] <= CLEAR * rows["behind_best_se"])
    ]
    as_good = [_places(cells, config, places) for _, places in others.groupby("rank")]
    return [said, Sentence("As good: {places}.", places=joined(as_good, "; "))] if as_good else [said]


def _places(cells: Cells, config: HospitalConfig, rows: pd.DataFrame) -> Sentence:
    names = labels(config)
    return joined(
        [
            Sentence("{beds} in {ward}", beds=cells.number(ALLOCATIONS, "beds_added", *key), ward=Name(names[key[2]]))
            for key in zip(rows["extra_beds"], rows["rank"], rows["ward_id"], strict=True)
        ],
        ", ",
    )
