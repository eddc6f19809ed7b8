"""Pictures of tables: what they show, that they leave nothing behind, and that they say what is missing."""

import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from PIL import Image
from tiny_report import tiny_report

import kaizar_pipeline
from kaizar_pipeline.errors import KaizarError
from kaizar_pipeline.reporting import bed_plots, hospital_plots, plots
from kaizar_pipeline.reporting.canvas import ACCENT, Tables, png
from kaizar_pipeline.reporting.numbers import percent_sign_aside

pytestmark = pytest.mark.unit

BY_WARD = (
    plots.plot_fan, plots.plot_percentiles, plots.plot_week, plots.plot_risk, plots.plot_highest, plots.plot_flows,
    plots.plot_past, plots.plot_past_flows,
)  # fmt: skip
BY_STREAM = (plots.plot_arrivals, plots.plot_daily, plots.plot_hours)
OF_ALL = (
    hospital_plots.plot_strip, hospital_plots.plot_meeting, hospital_plots.plot_drivers,
    hospital_plots.plot_allocations, hospital_plots.plot_history,
)  # fmt: skip
DRAWN: dict[str, Callable[[Tables], Axes]] = {
    **{plot.__name__: (lambda tables, plot=plot: plot(tables, "_hospital")) for plot in BY_WARD},
    **{plot.__name__: (lambda tables, plot=plot: plot(tables, "acute")) for plot in BY_STREAM},
    **{plot.__name__: plot for plot in OF_ALL},
    "plot_levels": lambda tables: hospital_plots.plot_levels(tables, "ed"),
    "plot_clock": lambda tables: plots.plot_clock(tables, "ward"),
    "plot_coverage": lambda tables: hospital_plots.plot_coverage({**tables, **past()}),
    "plot_reliability": lambda tables: hospital_plots.plot_reliability({**tables, **past()}),
    "plot_scenarios": lambda tables: hospital_plots.plot_scenarios({**tables, **past()}, "left"),
    "plot_skill": lambda tables: hospital_plots.plot_skill({**tables, **past()}),
    "plot_stays": lambda tables: bed_plots.plot_stays(tables, "ward"),
    "plot_waits": lambda tables: bed_plots.plot_waits(tables, "ward"),
    "plot_turned_away": lambda tables: bed_plots.plot_turned_away({**tables, **past()}, "ward"),
    "plot_beds_percentiles": lambda tables: bed_plots.plot_beds_percentiles({**tables, **past()}, "ward"),
}

DRAWN_ALONE: dict[str, Callable[[Tables], Axes]] = {
    "plot_coverage": hospital_plots.plot_coverage,
    "plot_reliability": hospital_plots.plot_reliability,
    "plot_skill": hospital_plots.plot_skill,
    "plot_scenarios": lambda tables: hospital_plots.plot_scenarios(tables, "left"),
    "plot_turned_away": lambda tables: bed_plots.plot_turned_away(tables, "ward"),
    "plot_beds_percentiles": lambda tables: bed_plots.plot_beds_percentiles(tables, "ward"),
}
"""Those that are given tables by hand, without them."""


@pytest.fixture(scope="module")
def tables() -> Tables:
    return tiny_report()[1]


def past() -> dict[str, pd.DataFrame]:
    """A back-test and a scenario by hand, which a short history has none of."""
    scores = pd.DataFrame(
        {
            "method": "twin", "ward_id": ["ed", "ward", "_hospital"], "hour": 0, "lead_week": 0,
            "coverage80": [0.8, 0.3, 1.0], "coverage80_low": 0.6, "coverage80_high": 0.95,
        }
    )  # fmt: skip
    days = pd.DataFrame(
        {
            "level": "_full", "ward_id": "ed", "probability": [0.05, 0.05, 0.95, 0.95],
            "happened": [False, False, True, False],
            "origin": pd.to_datetime(["2026-01-05", "2026-01-12", "2026-01-05", "2026-01-12"]),
            "date": pd.to_datetime(["2026-01-06", "2026-01-13", "2026-01-07", "2026-01-14"]),
        }
    )  # fmt: skip
    scenarios = pd.DataFrame(
        {
            "scenario": ["more", "fewer"], "ward_id": "_hospital", "kpi": "left", "unit": "patients", "baseline": 4.0,
            "difference": [-1.0, 0.2], "low": [-1.5, -0.1], "high": [-0.5, 0.5], "pairs": 10,
        }
    )  # fmt: skip
    arrivals = pd.DataFrame(
        {
            "stream_id": "acute", "method": ["model", "seasonal_naive"], "span": "day", "horizon_week": 0,
            "crps": [1.5, 2.0],
        }
    )  # fmt: skip
    return {
        "forecast_scores": arrivals,
        "occupancy_scores": scores,
        "full_backtest": days,
        "scenario_comparison": scenarios,
        "beds_effects": effects(),
        "beds_percentiles": percentiles(),
    }


def effects() -> pd.DataFrame:
    """What beds do to patients turned away: by two fewer and one more."""
    return pd.DataFrame(
        {
            "ward_id": "ward", "affected_ward_id": "ward", "kpi": "turned_away", "beds_added": [-2, 1],
            "baseline": 6.0, "value": [11.0, 4.0], "difference": [5.0, -2.0], "low": [4.0, -3.0], "high": [6.0, -1.0],
        }
    )  # fmt: skip


def percentiles() -> pd.DataFrame:
    """The census of a ward with three numbers of beds; with the fewest demand exceeds them."""
    return pd.DataFrame(
        {
            "ward_id": "ward", "beds_added": [-1, 0, 2], "beds": [4, 5, 7], "p50": [4, 4, 4], "p99": [4, 5, 6],
            "overloaded": [True, False, False],
        }
    )  # fmt: skip


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("name", DRAWN)
def test_every_picture_is_small_and_leaves_nothing_behind(name: str, tables: Tables):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = DRAWN[name](tables)
        content = png(ax)
    assert ax.get_title(loc="left")
    assert len(content) < 36_000  # as text in a page a third more
    with Image.open(BytesIO(content)) as picture:
        assert picture.format == "PNG"
        assert picture.width in (720, 460)
        assert 110 <= picture.height <= 720
        assert len(set(picture.convert("L").get_flattened_data())) > 4
    assert "matplotlib.pyplot" not in sys.modules


def test_every_public_picture_is_tried():
    public = {name for name in kaizar_pipeline.__all__ if name.startswith("plot_")}
    assert public == {*DRAWN, "plot_nurses", "plot_refused"}  # these two in tests/hospital_beds
    assert all(callable(getattr(kaizar_pipeline, name)) for name in public)


@pytest.mark.parametrize("name", DRAWN)
def test_a_missing_table_is_named(name: str):
    with pytest.raises(KaizarError, match=r"shows the table \w+, which is not among those given; make \w+ first"):
        DRAWN_ALONE.get(name, DRAWN[name])({})


def test_an_unknown_ward_is_named_with_those_there_are(tables: Tables):
    with pytest.raises(KaizarError, match=r"ward_days has no rows where ward_id is 'icu'; allowed: .*ed, ward"):
        plots.plot_fan(tables, "icu")
    with pytest.raises(KaizarError, match="full_backtest is empty"):
        hospital_plots.plot_reliability(tables)


def test_they_draw_on_given_axes(tables: Tables):
    figure = Figure()
    one, two = figure.subplots(2)
    assert plots.plot_fan(tables, "ed", ax=one) is one
    assert hospital_plots.plot_strip(tables, ax=two) is two
    assert png(one) == png(two)


@pytest.mark.parametrize("plot", [plots.plot_fan, plots.plot_percentiles, plots.plot_week, plots.plot_past])
def test_beds_are_whole_numbers_at_their_ticks(plot: Callable[..., Axes], tables: Tables):
    for ward in ("ed", "ward", "_hospital"):
        ax = plot(tables, ward)
        low, high = ax.get_ylim()
        ticks = [tick for tick in ax.get_yticks() if low <= tick <= high]
        assert ticks
        assert all(float(tick).is_integer() for tick in ticks)
        assert ax.get_ylabel() == "patients in bed"


def test_the_strip_has_the_chances_of_the_table(tables: Tables):
    days = tables["ward_days"].assign(prob_full_day=lambda rows: rows["prob_full_day"].where(rows["ward_id"] != "ward"))
    ax = hospital_plots.plot_strip({"ward_days": days})
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ed", "ward", "both", "Whole hospital"]
    shown = np.array(texts(ax)).reshape(4, -1)
    expected = [percent_sign_aside(chance) for chance in days.loc[days["ward_id"] == "ed", "prob_full_day"]]
    assert list(shown[0]) == expected
    assert set(shown[1]) == {"?"}


def test_shares_are_never_rounded_to_none_or_all():
    assert [percent_sign_aside(share) for share in (0, 0.001, 0.5, 0.999, 1)] == ["0", "<1", "50", ">99", "100"]


def test_the_staffed_beds_are_marked_where_there_are_any(tables: Tables):
    assert "4 staffed" in texts(plots.plot_fan(tables, "ed"))
    assert "4 staffed" in texts(plots.plot_risk(tables, "ed"))
    days = tables["ward_days"].assign(staffed_fewest=pd.array([None] * len(tables["ward_days"]), dtype="Int64"))
    ax = plots.plot_fan({**tables, "ward_days": days}, "ed")
    assert not [text for text in texts(ax) if "staffed" in text]
    assert ACCENT not in {line.get_color() for line in ax.lines}


def test_the_highest_demand_of_the_horizon_adds_up(tables: Tables):
    ax = plots.plot_highest(tables, "ed")
    (collection,) = ax.collections
    assert sum(np.asarray(path.vertices)[:, 1].max() for path in collection.get_paths()) == pytest.approx(1)


def test_hidden_numbers_leave_a_gap(tables: Tables):
    history = tables["ward_history_days"]
    gone = history.assign(midnight_census=pd.array([None] * len(history), dtype="Int64"), peak=None)
    ax = plots.plot_fan({**tables, "ward_history_days": gone}, "ed")
    assert png(ax)
    dotted = next(line for line in ax.lines if line.get_linestyle() == ":")
    assert np.isnan(np.asarray(dotted.get_ydata(), dtype=float)[:10]).all()


def test_names_are_not_read_as_mathematics(tables: Tables):
    risk = tables["level_risk"].assign(level="$x^2$ & <b>")
    ax = hospital_plots.plot_levels({"level_risk": risk}, "ed")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["$x^2$ & <b>"]
    assert png(ax)


def test_threads_draw_the_same(tables: Tables):
    alone = png(plots.plot_fan(tables, "ed"))

    def drawn(_: int) -> bytes:
        return png(plots.plot_fan(tables, "ed"))

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(drawn, range(4))) == {alone}


def test_of_many_wards_those_full_on_most_days_are_shown(tables: Tables):
    one = tables["ward_days"].query("ward_id == 'ed'")
    total = tables["ward_days"].query("ward_id == '_hospital'")
    wards = [one.assign(ward_id=f"w{n:02}", prob_full_day=n / 40) for n in range(40)]
    ax = hospital_plots.plot_strip({"ward_days": pd.concat([total, *wards])})
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert shown == [*(f"w{n}" for n in range(21, 40)), "Whole hospital"]
    assert "those full on most days; 21 are not shown" in texts(ax)
    assert len(png(ax)) < 36_000


def test_without_limited_beds_there_is_no_comparison_with_them(tables: Tables):
    meeting = tables["bed_meeting"]
    unlimited = meeting.assign(staffed_at_end=pd.array([None] * len(meeting), dtype="Int64"))
    with pytest.raises(KaizarError, match="no ward has limited beds"):
        hospital_plots.plot_meeting({"bed_meeting": unlimited})


def test_stays_that_have_ended_add_up_to_all_but_the_longest(tables: Tables):
    ax = bed_plots.plot_stays(tables, "ward")
    (histogram,) = ax.collections
    heights = [np.asarray(path.vertices)[:, 1].max() for path in histogram.get_paths()]
    assert 0.98 <= sum(heights) <= 1
    (line,) = ax.lines
    drawn = np.asarray(line.get_ydata(), dtype=float)
    assert 0.9 < drawn.sum() <= 1  # the chances of the distribution that is drawn from
    assert "days" in ax.get_xlabel()


def test_waits_pass_through_the_hospital_as_it_is(tables: Tables):
    ax = bed_plots.plot_turned_away({**tables, **past()}, "ward")
    line = ax.lines[0]
    assert np.asarray(line.get_xdata()).tolist() == [-2, 0, 1]
    assert np.asarray(line.get_ydata()).tolist() == [11, 6, 4]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["-2", "0", "+1"]


def test_an_occupancy_of_all_beds_is_red(tables: Tables):
    ax = bed_plots.plot_beds_percentiles({**tables, **past()}, "ward")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["4 beds (queue grows)", "5 beds (now)", "7 beds"]
    assert texts(ax) == ["100", "100", "80", "100", "57", "86"]
    (cells,) = ax.collections
    red = to_rgba(ACCENT)
    assert [tuple(face) == red for face in np.asarray(cells.get_facecolor())] == [True, True, False, True, False, False]
