"""Pictures of the hospital-beds form: bars of the numbers in the files, beds, and marks of events."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from kaizar_pipeline import HospitalBeds, KaizarError, plot_nurses, plot_refused
from kaizar_pipeline.reporting.canvas import ACCENT, INK, png

pytestmark = pytest.mark.unit

PATIENTS = """\
patient_id,arrival_date,departure_date,service
P1,2025-01-01,2025-01-03,emergency
P2,2025-02-17,2025-02-17,ICU
"""
WEEKLY = """\
week,service,available_beds,patients_request,patients_admitted,patients_refused,event
1,emergency,4,10,8,2,flu
2,emergency,5,2,2,0,none
3,emergency,5,30,5,25,strike
4,emergency,6,4,3,1,storm
"""
SCHEDULE = """\
week,staff_id,role,service,present
1,S1,nurse,emergency,1
1,S2,nurse,emergency,0
2,S1,nurse,emergency,1
2,S2,nurse,emergency,1
"""


def form(folder: Path, weekly: str | None = WEEKLY, schedule: str | None = SCHEDULE) -> HospitalBeds:
    texts = {"patients.csv": PATIENTS, "services_weekly.csv": weekly, "staff_schedule.csv": schedule}
    for name, text in texts.items():
        if text is not None:
            (folder / name).write_text(text)
    return HospitalBeds.read(folder)


def tall(ax: Axes) -> list[list[list[float]]]:
    """The weeks at the middle of the bars of each colour, with where they begin and end."""
    found = []
    for collection in ax.collections:
        if isinstance(collection, PolyCollection):
            corners = np.array([np.asarray(path.vertices)[:4] for path in collection.get_paths()])
            found.append(np.column_stack([corners[:, :, 0].mean(1), corners[:, 0, 1], corners[:, 1, 1]]).tolist())
    return found


def marks(ax: Axes) -> list[tuple[float, str]]:
    return [(text.get_position()[0], text.get_text()) for text in ax.texts if "staffed" not in text.get_text()]


def test_admitted_and_refused_add_up_to_requests(tmp_path: Path):
    ax = plot_refused(form(tmp_path), "emergency")
    admitted, refused = tall(ax)
    assert admitted == [[1, 0, 8], [2, 0, 2], [3, 0, 5], [4, 0, 3]]
    assert refused == [[1, 8, 10], [2, 2, 2], [3, 5, 30], [4, 3, 4]]
    assert np.asarray(ax.collections[1].get_facecolor()).tolist() == [list(to_rgba(INK))]
    # storm and strike differ in their third letter
    assert marks(ax) == [(1, "FLU"), (3, "STR"), (4, "STO")]
    assert ax.get_xlabel() == "light: admitted; dark: refused, 61 % in all; FLU: flu; STO: storm; STR: strike"
    assert ax.get_xlim() == (0.5, 4.5)


def test_nurses_are_beside_beds(tmp_path: Path):
    ax = plot_nurses(form(tmp_path), "emergency")
    assert tall(ax) == [[[1, 0, 1], [2, 0, 2]]]
    (beds,) = [line for line in ax.lines if line.get_color() == ACCENT]
    assert np.asarray(beds.get_ydata()).tolist() == [4.5, 5.5, 5.5]  # a full ward touches the line
    assert np.asarray(beds.get_xdata()).tolist() == [0.5, 1.5, 2.5]
    assert "4 to 5 staffed" in [text.get_text() for text in ax.texts]
    assert len(png(ax)) < 36_000


def test_nurses_without_weeks_have_neither_beds_nor_events(tmp_path: Path):
    ax = plot_nurses(form(tmp_path, weekly=None), "emergency")
    assert tall(ax) == [[[1, 0, 1], [2, 0, 2]]]
    assert not ax.lines
    assert not ax.texts


def test_they_draw_on_given_axes_and_months_are_named(repository: Path):
    data = HospitalBeds.read(repository / "data" / "raw" / "kaggle")
    one, two = Figure().subplots(2)
    assert plot_nurses(data, "icu", one) is one
    assert plot_refused(data, "icu", two) is two
    assert [label.get_text() for label in two.get_xticklabels()][::4] == ["Jan", "May", "Sep"]
    assert (5.0, "F") in marks(two)


def test_what_is_not_known_is_a_sentence(tmp_path: Path):
    data = form(tmp_path, weekly=None, schedule=None)
    with pytest.raises(KaizarError, match=r"refused patients are not known: there is no services_weekly\.csv"):
        plot_refused(data, "icu")
    with pytest.raises(KaizarError, match=r"nurses present are not known: .*staff_schedule\.csv"):
        plot_nurses(data, "icu")
    data = form(tmp_path)
    with pytest.raises(KaizarError, match="unknown service 'emergancy', did you mean 'emergency'"):
        plot_refused(data, "emergancy")
