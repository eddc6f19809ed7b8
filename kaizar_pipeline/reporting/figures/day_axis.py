"""The axis of the figures that show days: observed ones, and those ahead, with the instant of the tables between."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from kaizar_pipeline.reporting.figures.drawing import WIDE, Drawing, boxes, kept, text_width, uprights
from kaizar_pipeline.reporting.numbers import Day

DAYS_BACK, DAYS_AHEAD = 14, 14
FEWEST = 7
"""Days that an axis is long, at least."""

NARROWEST = 194.0
"""Pixels of the narrowest plot of days: on a phone of 320."""

_DAY = pd.Timedelta(days=1)
_GAP, _LEAST = 0.07, 0.2
"""Shares of a day's width: beside its column, and of the column itself at least, late in a day that has begun."""


@dataclass(frozen=True)
class DayAxis:
    """`count` days from `first` on, and `now`, the instant of the tables."""

    first: pd.Timestamp
    count: int
    now: pd.Timestamp

    @classmethod
    def around(cls, now: pd.Timestamp, past: Iterable[pd.Timestamp], ahead: Iterable[pd.Timestamp]) -> "DayAxis":
        """From the first of the past days, or of those ahead where there are none, to the last of those ahead."""
        ahead = list(ahead)
        first = min([*past, *ahead])
        return cls(first, (max(ahead) - first).days + 1, now)

    def x(self, at: pd.Timestamp) -> float:
        """Place of an instant."""
        return (at - self.first) / _DAY * WIDE / max(self.count, FEWEST)

    def column(self, date: pd.Timestamp) -> tuple[float, float]:
        """Left and right of the column of a day, which begins at `now` if the day has begun then."""
        width = WIDE / max(self.count, FEWEST)
        begin = max(self.x(date), self.x(self.now)) if date <= self.now < date + _DAY else self.x(date)
        right = self.x(date) + (1 - _GAP) * width
        return min(begin + _GAP * width, right - _LEAST * width), right

    def dates(self) -> pd.DatetimeIndex:
        """All days."""
        return pd.date_range(self.first, periods=self.count)

    def draw_weekends(self, drawing: Drawing) -> None:
        """A stripe behind Saturdays and Sundays."""
        weekends = [date for date in self.dates() if date.day_of_week >= 5]
        sides = [(self.x(date), self.x(date + _DAY)) for date in weekends]
        drawing.path("f-weekend", boxes((left, right, drawing.top, drawing.bottom) for left, right in sides))

    def draw_below(self, drawing: Drawing, ahead: str) -> None:
        """The line of now, Mondays' dates, and under them 'observed', 'now', and `ahead`, where there is space."""
        now = self.x(self.now)
        drawing.path("f-now", uprights([(now, drawing.top, drawing.bottom + 4)]))
        self.draw_mondays(drawing)
        self._draw_sides(drawing, now, ahead)

    def draw_mondays(self, drawing: Drawing) -> None:
        """Mondays' dates under the plot, from where they begin; of the first day where there is no Monday."""
        mondays = [date for date in self.dates() if date.day_of_week == 0] or [self.first]
        places = [max(self.x(date), 0) for date in mondays]
        long, pixels = text_width("00 Nov"), NARROWEST / WIDE
        free = kept([(place * pixels, place * pixels + long) for place in places])
        drawing.path("f-axis", uprights((place, drawing.bottom, drawing.bottom + 5) for place in places))
        for date, place, fits in zip(mondays, places, free, strict=True):
            if fits:
                drawing.text(place, drawing.bottom + 15, date_text(date), aside=2)

    def _draw_sides(self, drawing: Drawing, now: float, ahead: str) -> None:
        pixels = NARROWEST / WIDE
        half = text_width("now") / 2
        words = [
            ((now * pixels - half, now * pixels + half), (now, "now", "f-ink", "middle")),
            ((NARROWEST - text_width(ahead), NARROWEST), (WIDE, ahead, "", "end")),
        ]
        if self.first < self.now.normalize():
            words.append(((0, text_width("observed")), (0, "observed", "", "")))
        for (_, (x, word, css, anchor)), fits in zip(words, kept([span for span, _ in words]), strict=True):
            if fits:
                drawing.text(x, drawing.bottom + 30, word, css, anchor)


def date_text(date: pd.Timestamp) -> Markup:
    """A date inside an SVG text, without its weekday."""
    return Markup("<tspan class='date' data-date='{}'>{}</tspan>").format(
        f"{date:%Y-%m-%d}", str(Day(date)).split(" ", 1)[1]
    )
