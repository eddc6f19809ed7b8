"""Streams, wards and names that begin or end within the records, and names that follow each other."""

from datetime import timedelta

import numpy as np
import pandas as pd

from kaizar_pipeline.drafting.wards_and_streams import FEWEST, Span
from kaizar_pipeline.patients.openings import Activity

_HANDOVER_DAYS = 7
"""Days from the last arrival under an old name to the first under the new one, in either direction."""
_NEAR_DAYS = 90
"""Days on either side whose arrivals and stays are compared."""
_SIGMA = 3.0
"""Standard errors by which arrivals may differ."""
_ALIKE_STAY = 1.5
"""Ratio of the median stays, at most."""


def span_of(times: pd.Series, first: pd.Timestamp, end: pd.Timestamp) -> Span:
    """When those who come at `times` began and stopped to come, of the whole days from `first` to before `end`."""
    counts = _by_day(times, first, end)
    found = Activity.of(counts)
    if found is None:
        return Span()
    why, begins, ends = {}, None, None
    if found.opened:
        begins = (first.normalize() + pd.Timedelta(days=found.before)).date()
        why["opened"] = f"nobody before, for {found.before} days; then some every {found.mean_gap:.1f} days"
    if found.silent:
        ends = (first.normalize() + pd.Timedelta(days=len(counts) - found.after)).date()
        why["closed"] = f"nobody since, for {found.after} days; before some every {found.mean_gap:.1f} days"
    return Span(begins, ends, why)


def _by_day(times: pd.Series, first: pd.Timestamp, end: pd.Timestamp) -> np.ndarray:
    days = (times.dropna().dt.normalize() - first.normalize()).dt.days
    length = max(1, (end.normalize() - first.normalize()).days)
    return np.bincount(days[(days >= 0) & (days < length)], minlength=length)


def renames(names: pd.Series, begins: pd.Series, ends: pd.Series) -> dict[str, str]:
    """Names that ended where another began, with as many arrivals and stays as long: the old name by the new one."""
    known = begins.dropna().sort_values()
    if known.empty:
        return {}
    low, high = (known.iloc[int(share * (len(known) - 1))] for share in (0.001, 0.999))  # not a mistyped year
    counts = names[names != ""].value_counts()
    of_name = {str(name): names == name for name in counts.index[counts >= FEWEST]}
    spans = {name: span_of(begins[mine], low, high.ceil("D")) for name, mine in of_name.items()}
    stays = pd.DataFrame({"begin": begins, "end": ends})
    found: dict[str, list[str]] = {}
    for old, ended in spans.items():
        if ended.closed is None:
            continue
        found[old] = [
            new
            for new, begun in spans.items()
            if begun.opened is not None
            and abs(begun.opened - ended.closed) <= timedelta(days=_HANDOVER_DAYS)
            and _alike(stays[of_name[old]], stays[of_name[new]], pd.Timestamp(ended.closed))
        ]
    one = {old: new[0] for old, new in found.items() if len(new) == 1}
    return {old: new for old, new in one.items() if list(one.values()).count(new) == 1}


def _alike(old: pd.DataFrame, new: pd.DataFrame, day: pd.Timestamp) -> bool:
    """Whether arrivals per day and the median stay are about the same before and after `day`."""
    near = pd.Timedelta(days=_NEAR_DAYS)
    before, after = old[old["begin"] >= day - near], new[new["begin"] < day + near]
    days = [max(1, (rows["begin"].max() - rows["begin"].min()).days) for rows in (before, after)]
    rates = len(before) / days[0], len(after) / days[1]
    error = np.hypot(np.sqrt(len(before)) / days[0], np.sqrt(len(after)) / days[1])
    stays = [(rows["end"] - rows["begin"]).dt.total_seconds().median() for rows in (before, after)]
    ratio = max(stays) / max(1.0, min(stays))
    return bool(abs(rates[0] - rates[1]) <= _SIGMA * error and ratio <= _ALIKE_STAY)
