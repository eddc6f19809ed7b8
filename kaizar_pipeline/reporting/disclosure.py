"""Which further numbers must be hidden so that none of the hidden ones can be computed from those that are shown.

Numbers are known by any key. A sum that holds between them is `{number: factor}` and equals 0: of a total over two
wards `{total: 1, one: -1, other: -1}`. A hidden number is determined when some combination of the sums leaves it alone
among the hidden ones: when its unit vector lies in the row space of the sums, restricted to hidden numbers. That is
found in the integers modulo a prime, quickly, since most sums have a hidden number of their own.

Covered are sums, and numbers that lie between two equal ones. Not covered is what the rule itself tells: that some of
the hidden numbers are small, and with a limit of 2 that these are 1.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import TypeVar

N = TypeVar("N", bound=Hashable)
"""What numbers are known by."""

_PRIME = 2**61 - 1


def protected(
    values: Mapping[N, float],
    sums: Sequence[Mapping[N, int]],
    small: Collection[N],
    chains: Sequence[Sequence[N]] = (),
) -> set[N]:
    """The numbers to hide so that none of them is determined: the `small` ones and others, of those in a sum the
    smallest.

    `values` are all numbers, which fulfil the `sums`; the small ones are not 0. `chains` are numbers none of which is
    above the one before it. Only numbers other than 0 are hidden. They are a solution of the sums that can be scaled,
    so that there is always a set in which none is determined.
    """
    numbers = list(values)
    place = {number: position for position, number in enumerate(numbers)}  # whole numbers are quick to look up
    puzzle = _Puzzle(
        [values[number] for number in numbers],
        [{place[number]: factor for number, factor in one.items()} for one in sums],
        [[place[number] for number in chain] for chain in chains],
    )
    return {numbers[position] for position in puzzle.solved({place[number] for number in small})}


class _Puzzle:
    """The numbers by position."""

    def __init__(self, values: list[float], sums: list[dict[int, int]], chains: list[list[int]]):
        self.values, self.sums, self.chains = values, sums, chains
        self.of_number: list[list[int]] = [[] for _ in values]
        for index, one in enumerate(sums):
            for number in one:
                self.of_number[number].append(index)

    def solved(self, small: set[int]) -> set[int]:
        """The numbers to hide."""
        hidden: set[int] = set()
        more = set(small)
        while more:
            self._hide(more, hidden)
            more = set(_squeezed(self.values, self.chains, hidden))
            for number in sorted(determined(self.sums, hidden), key=lambda number: (abs(self.values[number]), number)):
                if not any(self.sums[index].keys() & more for index in self.of_number[number]):
                    more.add(self._next(number, hidden))
        return hidden

    def _hide(self, more: set[int], hidden: set[int]) -> None:
        """Add these to the hidden numbers, and another one wherever a sum has a single hidden number."""
        waiting = sorted(more, reverse=True)
        while waiting:
            hidden |= set(waiting)
            touched = dict.fromkeys(index for number in waiting for index in self.of_number[number])
            waiting = []
            for index in touched:
                alone = self.sums[index].keys() & hidden
                if len(alone) == 1 and not self.sums[index].keys() & set(waiting):
                    waiting.append(self._next(next(iter(alone)), hidden))

    def _next(self, number: int, hidden: set[int]) -> int:
        """The shown number to hide for a determined one: the smallest in the sum with the fewest hidden ones; in sums
        further on where those of the number have no more to hide."""
        seen, near = {number}, self.of_number[number]
        while True:
            found = [
                (len(self.sums[index].keys() & hidden), abs(self.values[other]), other)
                for index in near
                for other in self.sums[index]
                if other not in hidden and self.values[other]
            ]
            if found:
                return min(found)[-1]
            reached = {other for index in near for other in self.sums[index]} - seen
            seen |= reached
            near = [index for other in reached for index in self.of_number[other]]


def _squeezed(values: Sequence[float], chains: Sequence[Sequence[int]], hidden: set[int]) -> Iterator[int]:
    """The lower ones of two equal shown numbers that have a hidden one between them."""
    for chain in chains:
        shown = [position for position, number in enumerate(chain) if number not in hidden]
        for before, after in pairwise(shown):
            if after - before > 1 and values[chain[before]] == values[chain[after]]:
                yield chain[after]


def determined(sums: Sequence[Mapping[N, int]], hidden: Collection[N]) -> set[N]:
    """The hidden numbers that can be computed by `sums` from all others.

    They are those that are 0 in every solution of the sums over the hidden numbers alone, and so in one that is drawn
    at random; that another one is 0 there has a probability of 1 in 2e18.
    """
    rows = [row for one in sums if (row := {number: factor for number, factor in one.items() if number in hidden})]
    core, taken = _taken_away(rows)
    draw = Random(0)
    solution: dict[N, int] = {}
    pivots = _solved(core)
    # a number of its own follows from the others of its row; of rows without one, the pivot does
    for own, row in (*pivots.items(), *reversed(taken)):
        rest = 0
        for number, factor in row.items():
            if number != own:
                if number not in solution:
                    solution[number] = draw.randrange(1, _PRIME)
                rest += factor * solution[number]
        solution[own] = -rest * pow(row[own], -1, _PRIME) % _PRIME
    return {number for number, value in solution.items() if value == 0}


def _solved(rows: Sequence[Mapping[N, int]]) -> dict[N, dict[N, int]]:
    """The rows by pivot, none of which is in another row."""
    solved: dict[N, dict[N, int]] = {}
    holding: dict[N, set[N]] = defaultdict(set)  # the pivots of the rows that have, or had, a number
    times = Counter(number for row in rows for number in row)
    for one in sorted(rows, key=len):  # short rows and rare pivots keep the others short
        row = dict(one)
        for number in [number for number in row if number in solved]:
            _eliminate(number, row, solved[number])
        if not row:
            continue
        pivot = min(row, key=lambda number: times[number])
        inverse = pow(row[pivot], -1, _PRIME)
        row = {number: factor * inverse % _PRIME for number, factor in row.items()}
        for other in holding.pop(pivot, ()):
            if pivot in solved[other]:
                _eliminate(pivot, solved[other], row)
                for number in row:
                    holding[number].add(other)
        for number in row:
            holding[number].add(pivot)
        solved[pivot] = row
    return solved


def _eliminate(number: N, row: dict[N, int], by: Mapping[N, int]) -> None:
    """Take from `row` the multiple of `by`, whose factor of `number` is 1, that leaves it without the number."""
    times = row[number]
    for other, factor in by.items():
        row[other] = (row.get(other, 0) - times * factor) % _PRIME
        if not row[other]:
            del row[other]


def _taken_away(rows: Sequence[dict[N, int]]) -> tuple[list[dict[N, int]], list[tuple[N, dict[N, int]]]]:
    """The rows without a number of their own, and the others in the order in which they are taken away, each with the
    number that no row has that is left then."""
    times = Counter(number for row in rows for number in row)
    of_number: dict[N, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        for number in row:
            of_number[number].append(index)
    left = dict.fromkeys(range(len(rows)))
    taken: list[tuple[N, dict[N, int]]] = []
    ready = [number for number, n in times.items() if n == 1]
    while ready:
        own = ready.pop()
        if times[own] != 1:
            continue
        index = next(index for index in of_number[own] if index in left)
        del left[index]
        taken.append((own, rows[index]))
        for number in rows[index]:
            times[number] -= 1
            if times[number] == 1:
                ready.append(number)
    return [rows[index] for index in left], taken
