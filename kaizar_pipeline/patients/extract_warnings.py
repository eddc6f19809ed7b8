"""What was assumed of an extract, and what in it cannot be right: counted, each with the line of an example."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass
class ExtractWarnings:
    """The warnings of one extract, in the order in which they were found."""

    place: str
    """The extract as messages name it."""
    lines: Callable[[np.ndarray], np.ndarray]
    """The line of each row number."""
    found: list[tuple[str, int, int | None]] = field(default_factory=list)
    """Words, number of rows, and one of these."""

    def copy(self) -> "ExtractWarnings":
        """The same, to which others can be added."""
        return replace(self, found=[*self.found])

    def add(self, words: str, count: int, row: int | None = None) -> None:
        """Tell of `count` rows that `words` are true of, `row` being one of them; of none nothing is told."""
        if count:
            self.found.append((words, count, row))

    def texts(self) -> tuple[str, ...]:
        """One sentence for each."""
        rows = sorted({row for _, _, row in self.found if row is not None})
        lines = dict(zip(rows, self.lines(np.array(rows)).tolist(), strict=True)) if rows else {}
        return tuple(
            f"{self.place}: {words}: {count:,}" + (f", for example line {lines[row]}" if row is not None else "")
            for words, count, row in self.found
        )
