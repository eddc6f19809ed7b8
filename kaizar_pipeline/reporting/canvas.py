"""What all pictures of `plots` and `hospital_plots` share: palette, axes with dates and whole beds, and the PNG.

A picture is a `Figure` of its own with an Agg canvas. `pyplot`, whose figures stay until they are closed and which is
not safe in threads, is not used, nor are matplotlib's global settings. matplotlib is imported when a picture is drawn,
since it takes a second and the command and the graph need none.
"""

from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.scenario import BASELINE
from kaizar_pipeline.errors import KaizarError
from kaizar_pipeline.planning.chances import BANDS as CHANCES
from kaizar_pipeline.reporting.numbers import percent_sign_aside
from kaizar_pipeline.tables import HOSPITAL_TOTAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Tables = Mapping[str, pd.DataFrame]
"""Tables by name, as `run_chain` makes them."""

INK, SECOND, RULE, WEEKEND = "#14181d", "#50575f", "#d5d9de", "#f3f5f6"
ACCENT = "#a3201d"
"""Red stands for full beds only."""
BANDS = {95: "#e6eaee", 80: "#cad2da", 50: "#9fadbb"}
"""The greys of central intervals, the widest first."""
_TINTED = (("#f7e1de", INK), ("#ebb8b1", INK), ("#bd4039", "white"), ("#861411", "white"))
TINTS = tuple((since, *colours) for (since, _), colours in zip(CHANCES, _TINTED, strict=True))[::-1]
"""From a chance on, likelier ones first: the tint of its cell by its words, and the colour of its text."""

INCHES, DPI = (7.2, 3.3), 100
_NAMED_UP_TO = 0.93
"""Share of an axis of dates from which on a name would not fit."""
_ABOVE, _BELOW = 0.58, 0.52
"""Inches for title and remarks, and for dates and units."""


def table_rows(tables: Tables, name: str, **where: object) -> pd.DataFrame:
    """The rows of a table with these values, of the baseline where it has scenarios. Raises KaizarError, which says
    which table to make, where it is missing or has no such row."""
    if name not in tables:
        raise KaizarError(f"this picture shows the table {name}, which is not among those given; make {name} first")
    found = tables[name]
    if found.empty:
        raise KaizarError(f"table {name} is empty: there is nothing to show")
    if "scenario" in found and "pairs" not in found:
        where = {"scenario": BASELINE, **where}
    for column, value in where.items():
        kept = found[found[column] == value]
        if kept.empty:
            listed = ", ".join(map(str, found[column].unique()[:50]))
            raise KaizarError(f"table {name} has no rows where {column} is {value!r}; allowed: {listed}")
        found = kept
    return found


def as_floats(values: object) -> np.ndarray:
    """Numbers, NaN for null."""
    return pd.Series(values).astype("Float64").to_numpy(dtype=float, na_value=np.nan)  # type: ignore[call-overload]


def titled(name: str) -> str:
    """A ward, group or hospital at the start of a title."""
    return "Whole hospital" if name == HOSPITAL_TOTAL else name


def start(ax: "Axes | None", title: str, size: tuple[float, float] = INCHES, left: float = 0.75) -> "Axes":
    """The axes to draw on, or new ones on a figure of their own, with a title and without a frame; `left` of them is
    the space for the names of rows, in inches."""
    if ax is None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        wide, high = size
        figure = Figure(figsize=size, dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        # fixed, since a layout that measures all texts takes longer than the drawing
        ax = figure.add_axes((left / wide, _BELOW / high, 1 - (left + 0.25) / wide, 1 - (_ABOVE + _BELOW) / high))
    ax.set_title(title, loc="left", fontsize=11, color=INK, y=1, pad=21, parse_math=False)
    ax.tick_params(labelsize=9, labelcolor=SECOND, color=RULE, length=3)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(RULE)
    ax.set_axisbelow(True)
    return ax


def name_axes(ax: "Axes", x: str, y: str) -> None:
    """Names with units."""
    ax.set_xlabel(x, fontsize=9, color=SECOND)
    ax.set_ylabel(y, fontsize=9, color=SECOND)


def write(ax: "Axes", x: float, y: float, text: str, **style: object) -> None:
    """Text at a point of the data, 9 points, as it is: no mathematics between dollar signs."""
    ax.text(x, y, text, parse_math=False, **{"fontsize": 9, "color": SECOND, "va": "center", **style})  # type: ignore[arg-type]


def above(ax: "Axes", text: str, x: float | None = None, color: str = SECOND, before: bool = False) -> None:
    """A remark between title and axes: after `x` of the data, `before` it, or at the right end."""
    right = x is None or before
    ax.annotate(
        text, (1 if x is None else x, 1), xycoords=("axes fraction" if x is None else "data", "axes fraction"),
        xytext=(0 if x is None else -2 if before else 2, 3), textcoords="offset points", fontsize=9, color=color,
        ha="right" if right else "left", va="bottom", annotation_clip=False, parse_math=False,
    )  # fmt: skip


def whole_beds(ax: "Axes", low: float, high: float) -> None:
    """The y axis from `low` to `high`, whole numbers at its ticks."""
    from matplotlib.ticker import MaxNLocator

    ax.set_ylim(low - 0.5, high + 0.5 + (high - low) / 40)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))


def whole_beds_across(ax: "Axes") -> None:
    """Whole numbers at the ticks of the x axis."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))


def percent_axis(ax: "Axes", across: bool = False) -> None:
    """An axis of shares from 0 to 1, shown in percent."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    axis = ax.xaxis if across else ax.yaxis
    (ax.set_xlim if across else ax.set_ylim)(0, 1)
    axis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def day_axis(ax: "Axes", days: pd.Series, as_of: pd.Timestamp) -> Callable[[Any], Any]:
    """The x axis in days from the first of `days` to the end of the last, Mondays named, weekends striped, `as_of`
    marked; returns the position of an instant, or of many."""
    first, last = days.min().normalize(), days.max().normalize()

    def at(instant: Any) -> Any:
        days = (instant - first) / pd.Timedelta(days=1)
        return np.asarray(days) if hasattr(days, "__len__") else days

    every = pd.date_range(first, last)
    weekends = [(at(day), 1.0) for day in every[every.day_of_week >= 5]]
    ax.broken_barh(weekends, (0, 1), transform=ax.get_xaxis_transform(), color=WEEKEND, linewidth=0, zorder=0)
    mondays = every[every.day_of_week == 0]
    if len(every) <= 8:
        ax.set_xticks([at(day) for day in every], [f"{day:%a} {day.day}" for day in every])
    else:
        inside = mondays[at(mondays) < _NAMED_UP_TO * len(every)]
        named = inside[:: 1 + len(inside) // 7]
        ax.set_xticks([at(day) for day in named], [f"{day:%a} {day.day} {day:%b}" for day in named])
    for label in ax.get_xticklabels():
        label.set_horizontalalignment("left")
    ax.set_xlim(0, at(last) + 1)
    ax.axvline(at(as_of), color=SECOND, linewidth=1, zorder=1)
    if at(as_of) < 0.96 * len(every):  # at the end it needs no name
        above(ax, "now", at(as_of))
    return at


def bars(ax: "Axes", x: np.ndarray, low: np.ndarray, high: np.ndarray, colours: str | list[str]) -> None:
    """Bars centred at `x`, from `low` to `high`: one collection, which is drawn sooner than as many patches."""
    from matplotlib.collections import PolyCollection

    left, right = x - 0.43, x + 0.43
    corners = [np.column_stack(corner) for corner in ((left, low), (left, high), (right, high), (right, low))]
    ax.add_collection(PolyCollection(list(np.stack(corners, axis=1)), facecolors=colours, linewidths=0, zorder=1))


def staffed_line(ax: "Axes", x: np.ndarray, beds: pd.Series) -> None:
    """The staffed beds as a step at beds + 0.5, so that a full ward touches it; nothing where they are unlimited."""
    values = as_floats(beds)
    if np.isnan(values).all():
        return
    ax.step(x, np.append(values, values[-1]) + 0.5, where="post", color=ACCENT, linewidth=1.5, zorder=4)
    low, high = int(np.nanmin(values)), int(np.nanmax(values))
    text = f"{low} staffed" if low == high else f"{low} to {high} staffed"
    above(ax, text, color=ACCENT)


def shaded(ax: "Axes", shares: pd.DataFrame, shades: Iterable[tuple[float, str, str]]) -> None:
    """A table of shares in percent, one cell each, rows and columns named as in the frame, "?" where null; `shades`:
    from a share on, the colour of the cell and of its text."""
    from matplotlib.collections import PolyCollection

    faces, cells = [], []
    for y, (_, row) in enumerate(shares.iterrows()):
        for x, share in enumerate(row):
            known = pd.notna(share)
            face, ink = next(((face, ink) for since, face, ink in shades if known and share >= since), ("white", INK))
            left, right, top, bottom = x + 0.03, x + 0.97, y + 0.05, y + 0.95
            faces.append(face)
            cells.append([(left, top), (right, top), (right, bottom), (left, bottom)])
            write(ax, x + 0.5, y + 0.5, percent_sign_aside(float(share)) if known else "?", color=ink, ha="center")
    ax.add_collection(PolyCollection(cells, facecolors=faces, edgecolors=RULE, linewidths=0.5))
    ax.set_xlim(0, shares.shape[1])
    ax.set_ylim(len(shares), 0)
    ax.set_yticks(np.arange(len(shares)) + 0.5, [titled(str(name)) for name in shares.index])
    ax.set_xticks(np.arange(shares.shape[1]) + 0.5, [str(name) for name in shares.columns])
    _plain_names(ax)
    for spine in ax.spines.values():
        spine.set_visible(False)


def named_rows(ax: "Axes", names: Iterable[object]) -> None:
    """The y axis with a name for each row, the first at the top."""
    labels = [titled(str(name)) for name in names]
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    _plain_names(ax)


def _plain_names(ax: "Axes") -> None:
    ax.tick_params(axis="y", length=0)
    for label in [*ax.get_xticklabels(), *ax.get_yticklabels()]:
        label.set_parse_math(False)


def tall(rows: int) -> tuple[float, float]:
    """The size of a picture with so many rows, in inches."""
    return INCHES[0], _ABOVE + _BELOW + 0.27 * rows


def png(ax: "Axes") -> bytes:
    """The figure of the axes as a PNG, in a palette of 64 colours."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure = ax.get_figure(root=True)
    assert figure is not None, "axes are on a figure"
    canvas = figure.canvas if isinstance(figure.canvas, FigureCanvasAgg) else FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    file = BytesIO()
    picture.quantize(64).save(file, "PNG")
    return file.getvalue()
