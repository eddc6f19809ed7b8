"""Pictures of single replications and of the distance from theory, of patients by hand whose hours are known."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from tiny_report import tiny_report

from kaizar_pipeline.errors import KaizarError
from kaizar_pipeline.reporting.canvas import BANDS, INK, SECOND, Tables, day_axis
from kaizar_pipeline.reporting.inside_plots import plot_one_of_many, plot_patient_way, plot_theory, plot_ward_day

pytestmark = pytest.mark.unit

DAY = pd.Timestamp("2026-03-02")
CARE, WAITING, AFTER, OUTLIER = BANDS[50], SECOND, INK, BANDS[80]


def stay(patient: int, ward: str | None, *hours: float | None, **other: object) -> dict[str, object]:
    """A stay with the hours of its request, admission, end of care and departure."""
    times = [pd.NaT if hour is None else DAY + pd.Timedelta(hours=hour) for hour in hours]
    return {
        "replication": 0, "as_of": DAY, "patient": patient, "patient_type": "patient", "status": "discharged",
        "stay_no": 0, "planned_ward_id": ward or "ed", "ward_id": ward, "next_ward_id": "_home",
        **dict(zip(("request", "admit", "ready", "depart"), times, strict=True)), **other,
    }  # fmt: skip


def made(*stays: dict[str, object]) -> Tables:
    """These stays, and a day of two staffed beds in the ward "ed", one of them from 12:00 on."""
    at = pd.date_range(DAY, periods=24, freq="h")
    hours = pd.DataFrame(
        {"ward_id": "ed", "scenario": "baseline", "at": at, "staffed_beds": np.where(at.hour < 12, 2, 1)}
    )
    return {"replication_stays": pd.DataFrame(list(stays)), "occupancy_distributions": hours}


def drawn(ax: Axes) -> list[tuple[str, float, float, float]]:
    """The bars: colour, left, right and the row that they begin in."""
    found = []
    for collection in ax.collections:
        (colour,) = [to_hex(face) for face in np.atleast_2d(np.asarray(collection.get_facecolor(), dtype=float))]
        for path in collection.get_paths():
            (left, low), (right, _) = np.asarray(path.vertices).min(axis=0), np.asarray(path.vertices).max(axis=0)
            if right > left:
                found.append((colour, round(left, 3), round(right, 3), float(np.floor(low))))
    return found


def test_the_way_of_a_patient_who_boards():
    one = stay(3, "ed", 1, 3, 4, 10, next_ward_id="ward")
    two = stay(3, "ward", 4, 10, 60, 62.5, stay_no=1, planned_ward_id="icu")
    ax = plot_patient_way(made(two, one, stay(4, "ed", 0, 0, 1, 1)), 3)
    begin = 1 - 0.02 * 61.5  # the margin
    bars = [(colour, left + begin, right + begin) for colour, left, right, _ in drawn(ax)]
    expected = [(WAITING, 1, 3), (CARE, 3, 4), (AFTER, 4, 10), (WAITING, 4, 10), (CARE, 10, 60), (AFTER, 60, 62.5)]
    assert [colour for colour, *_ in bars] == [colour for colour, *_ in expected]
    assert np.array([hours for _, *hours in bars]) == pytest.approx(
        np.array([hours for _, *hours in expected]), abs=1e-3
    )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ed", "ward"]
    said = [text.get_text() for text in ax.texts]
    assert "waits 2.0 h, in care 1.0 h, then still in the bed 6.0 h" in said
    assert "planned for icu, waits 6.0 h, in care 2.1 days, then still in the bed 2.5 h, goes home" in said
    assert "at the end: discharged" in said


@pytest.mark.parametrize("status", ["diverted", "left"])
def test_the_way_of_a_patient_without_a_bed(status: str):
    ends = 5 if status == "diverted" else 7
    ax = plot_patient_way(made(stay(1, None, 5, None, None, ends, status=status, next_ward_id=None)), 1)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["no bed"]
    assert [right - left for _, left, right, _ in drawn(ax)] == ([] if status == "diverted" else [2])
    assert ax.texts[0].get_text().endswith(status)


def test_a_day_of_a_ward_has_a_row_for_each_bed_and_above_them_those_who_wait():
    tables = made(
        stay(0, "ed", -5, -4, 2, 3),
        stay(1, "ed", -2, -1, None, None, next_ward_id=None),
        stay(2, "ed", 1, 3, 6, 6),
        stay(3, None, 4, None, None, 5, status="left"),
        stay(4, "ed", 7, 7, 8, 8, planned_ward_id="icu"),
        stay(5, "ward", 7, 7, 8, 8),
        stay(6, None, 9, None, None, 9, status="diverted"),
    )
    ax = plot_ward_day(tables, "ed", DAY)
    inside = [bar for bar in drawn(ax) if bar[0] != WAITING]
    assert inside == [
        (CARE, 0, 2, 0), (AFTER, 2, 3, 0), (CARE, 0, 24, 1), (CARE, 3, 6, 0), (OUTLIER, 7, 8, 0)
    ]  # fmt: skip
    waiting = [bar for bar in drawn(ax) if bar[0] == WAITING]
    assert waiting == [(WAITING, 1, 3, 3), (WAITING, 4, 5, 3)]
    crosses, staffed = ax.lines
    assert list(np.asarray(crosses.get_xdata())) == [9]
    assert list(np.asarray(staffed.get_ydata())[[0, 11, 12, 24]]) == [2.5, 2.5, 1.5, 1.5]
    assert "1 to 2 staffed" in [text.get_text() for text in ax.texts]


def test_a_day_that_is_not_simulated_is_answered():
    with pytest.raises(KaizarError, match="2026-03-09 is not simulated; allowed: 2026-03-02 to 2026-03-02"):
        plot_ward_day(made(stay(0, "ed", 0, 0, 1, 1)), "ed", "2026-03-09")


def test_each_replication_is_a_line_over_the_distribution():
    tables = {**tiny_report()[1], **{"replication_stays": pd.DataFrame([
        stay(0, "ed", 0, 0, 2, 2), stay(1, "ed", 1, 1, 4, 4), stay(0, "ed", 3, 3, None, None, replication=1),
    ])}}  # fmt: skip
    ax = plot_one_of_many(tables, "ed")
    thin = [np.asarray(line.get_ydata()) for line in ax.lines if line.get_linewidth() < 1]
    assert [list(line[:6]) for line in thin] == [[1, 2, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1]]


def test_each_quantity_is_a_dot_and_those_far_off_are_counted():
    found = pd.DataFrame(
        {
            "z": [0.1, 0.2, -0.1, 2.5, 0.0, np.inf, 9.0],
            "standard_error": [1, 1, 1, 1, 0, 0, 1],
            "theory_error": [0, 0, 0, 0, 0, 0, 1],
        }
    )
    ax = plot_theory({"validation": found})
    (dots,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert sorted(zip(*np.asarray(dots.get_data()), strict=True)) == [
        (-0.125, 0.5),
        (0.125, 0.5),
        (0.125, 1.5),
        (2.625, 0.5),
    ]
    (remark,) = [text.get_text() for text in ax.texts]
    assert remark == "1 of 4 are beyond 2, by chance about 0.2; where nothing is random, 1 of 2 are exact"


def test_a_day_whose_name_would_not_fit_is_not_named():
    """Mondays of six weeks from a Wednesday on: the last is two days before the end."""
    ax = Figure().subplots()
    day_axis(ax, pd.Series(pd.date_range("2025-12-17", periods=42)), pd.Timestamp("2025-12-31"))
    named = [label.get_text() for label in ax.get_xticklabels()]
    assert named == ["Mon 22 Dec", "Mon 29 Dec", "Mon 5 Jan", "Mon 12 Jan", "Mon 19 Jan"]
