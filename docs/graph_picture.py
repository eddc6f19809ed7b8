"""The graph of the steps as one SVG, drawn from `chain/steps.py`: a box is a step with the tables that it makes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from kaizar_pipeline.chain.step import Step
from kaizar_pipeline.chain.steps import STEPS
from kaizar_pipeline.simulation.starting_point import StartingTables
from kaizar_pipeline.tables import PLANNER_REPORT

WIDTH, LEFT, RIGHT = 1300, 118, 1268
BOX, LINE, GAP = 156, 15, 12
ROW_GAP, BAND_GAP, PAD, BAR = 34, 18, 14, 30
BUS, REPORT = "start", PLANNER_REPORT.name
TEXTS = {
    BUS: "what every simulation starts from: " + ", ".join(StartingTables._fields),
    REPORT: f"{REPORT}: the page, the spreadsheet and the CSV of a hospital, from all tables above",
}
"""Boxes as wide as the picture, and what they say."""
BANDS = {
    "patients": ("patients",),
    "forecast": ("forecast",),
    BUS: (BUS,),
    "simulation and planning": ("simulation", "planning"),
    "validation": ("validation",),
    "report": ("report",),
}
"""The bands of the picture from the top, and the groups of the steps in each."""
COLOURS = {
    "patients": "#dbe7f3", "forecast": "#dcefe3", BUS: "#444d5c", "simulation": "#f6dfd0",
    "planning": "#f5e9c8", "validation": "#e6e0f0", "report": "#444d5c",
}  # fmt: skip
INK, SOFT, EDGE = "#16181d", "#4d545f", "#98a1ae"


@dataclass
class Node:
    """A box: a step, the tables that all simulations start from, or the report."""

    name: str
    group: str
    tables: Sequence[str]
    needs: set[str]
    x: float = 0
    y: float = 0
    width: float = BOX
    height: float = 0
    row: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Size: a wide box has its tables in columns."""
        columns = 1 + (len(self.tables) - 1) // 6 if self.tables else 1
        self.width = BOX * columns + GAP * (columns - 1)
        self.lines = -(-len(self.tables) // columns)
        self.height = 2 * LINE + LINE * self.lines - 4

    @property
    def middle(self) -> float:
        """Its centre across."""
        return self.x + self.width / 2


def nodes() -> dict[str, Node]:
    """Every step, the bus of the starting tables and the report, with the nearest needs of each."""
    maker = {table: step.name for step in STEPS for table in step.table_names}
    found = {step.name: _of_step(step, maker) for step in STEPS}
    found[BUS] = Node(BUS, BUS, (), {maker[table] for table in StartingTables._fields})
    found[REPORT] = Node(REPORT, "report", (), set())
    for node in found.values():
        node.needs -= {far for near in node.needs for far in _all_needs(found, near)}
    for wide in (BUS, REPORT):
        found[wide].width, found[wide].height = RIGHT - LEFT, BAR
    return found


def _of_step(step: Step, maker: dict[str, str]) -> Node:
    needs = {maker[table] for table in step.needs if maker.get(table, step.name) != step.name}
    if set(StartingTables._fields) <= set(step.needs):
        needs = {BUS} | needs - {maker[table] for table in StartingTables._fields}
    tables = [table for table in step.table_names if [table] != [step.name] or len(step.table_names) > 1]
    return Node(step.name, step.group, tables, needs)


def _all_needs(found: dict[str, Node], name: str) -> set[str]:
    return found[name].needs | {far for near in found[name].needs for far in _all_needs(found, near)}


def _rows(found: dict[str, Node], members: list[str]) -> list[list[str]]:
    """The steps of a band by how many steps of the band lie before them; a chain is one row."""
    depth: dict[str, int] = {}
    for name in members:  # in order: needs come first
        depth[name] = 1 + max((depth[need] for need in _all_needs(found, name) if need in depth), default=-1)
    if len(set(depth.values())) == len(members):
        return [members]
    return [[name for name in members if depth[name] == level] for level in range(max(depth.values()) + 1)]


def _place_row(found: dict[str, Node], row: list[str]) -> None:
    """Each box below the middle of what it needs as far as its neighbours allow; a first row is spread evenly."""
    above = {
        name: [found[need].middle for need in found[name].needs if found[need].row < found[name].row] for name in row
    }
    spare = RIGHT - LEFT - sum(found[name].width for name in row)
    known = all(above.values()) and BUS not in set().union(*(found[name].needs for name in row))
    if known:
        row.sort(key=lambda name: sum(above[name]) / len(above[name]))
    at = LEFT + spare / (len(row) + 1)
    for number, name in enumerate(row):
        node, right = found[name], sum(found[other].width + GAP for other in row[number + 1 :])
        if known:
            wanted = sum(above[name]) / len(above[name]) - node.width / 2
            at = min(max(wanted, LEFT if not number else at), RIGHT - right - node.width)
        node.x = at
        at += node.width + (GAP if known else spare / (len(row) + 1))


def _placed(found: dict[str, Node]) -> tuple[list[tuple[str, float, float]], float]:
    """Give each box its place; the bands with their top and height, and the height of the picture."""
    bands, y, count = [], 12.0, 0
    for band, groups in BANDS.items():
        members = [name for name, node in found.items() if node.group in groups]
        top = y
        y += PAD
        rows = _rows(found, members)
        for row in rows:
            count += 1
            for name in row:
                found[name].row = count
            _place_row(found, row)
            for name in row:
                found[name].y = y
            y += max(found[name].height for name in row) + ROW_GAP
        y += PAD - ROW_GAP
        bands.append((band, top, y - top))
        y += BAND_GAP
    return bands, y


def graph_svg() -> str:
    """The picture."""
    found = nodes()
    bands, height = _placed(found)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        "<title>The steps of the chain with their tables, from the patients to the report</title>",
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
        f'<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{EDGE}"/></marker>',
    ]
    for band, top, tall in bands:
        if band not in (BUS, "report"):
            parts.append(f'<rect x="8" y="{top:.0f}" width="{WIDTH - 16}" height="{tall:.0f}" rx="8" fill="#f6f7f9"/>')
            parts += _label(band, top)
    parts += [line for node in found.values() for line in _edges(found, node)]
    parts += [line for node in found.values() for line in _box(node)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _label(band: str, top: float) -> Iterator[str]:
    for number, word in enumerate(band.split(" ")):
        yield f'<text x="22" y="{top + 26 + 16 * number:.0f}" font-weight="600" fill="{SOFT}">{word}</text>'


def _box(node: Node) -> Iterator[str]:
    yield (
        f'<rect x="{node.x:.0f}" y="{node.y:.0f}" width="{node.width:.0f}" height="{node.height:.0f}" rx="5" '
        f'fill="{COLOURS[node.group]}" stroke="{EDGE}" stroke-width=".7"/>'
    )
    if node.name in TEXTS:
        place = f'x="{node.middle:.0f}" y="{node.y + 19:.0f}" text-anchor="middle"'
        yield f'<text {place} fill="#fff">{TEXTS[node.name]}</text>'
        return
    yield f'<text x="{node.x + 9:.0f}" y="{node.y + 18:.0f}" font-weight="600" fill="{INK}">{escape(node.name)}</text>'
    for number, table in enumerate(node.tables):
        column, line = divmod(number, node.lines)
        x, y = node.x + 9 + column * (BOX + GAP), node.y + 18 + LINE * (line + 1)
        yield f'<text x="{x:.0f}" y="{y:.0f}" font-size="11" fill="{SOFT}">{escape(table)}</text>'


def _edges(found: dict[str, Node], node: Node) -> Iterator[str]:
    for need in sorted(node.needs):
        way = _way(found[need], node, list(found.values()))
        yield f'<path d="{way}" fill="none" stroke="{EDGE}" marker-end="url(#tip)"/>'


def _way(need: Node, node: Node, boxes: Sequence[Node]) -> str:
    """A line from a box to one that needs it: straight across in a row, else from the bottom to the top; along the
    edge of the picture where a box lies between."""
    bottom, top = need.y + need.height, node.y
    if need.row == node.row:
        return f"M{need.x + need.width:.0f} {need.y + 13:.0f}H{node.x - 1:.0f}"
    start = node.middle if need.name == BUS else need.middle
    end = start if node.name == BUS else node.middle
    if any(need.row < box.row < node.row and _meets(box, (start, bottom), (end, top)) for box in boxes):
        side = LEFT - 14 if need.middle < WIDTH / 2 else RIGHT + 14
        below = max(box.y + box.height for box in boxes if box.row == need.row) + 9
        line = f"M{start:.0f} {bottom:.0f}V{below:.0f}H{side}"
        if node.name == BUS:
            return f"{line}V{top + BAR / 2:.0f}H{LEFT - 1 if side < LEFT else RIGHT + 1}"
        return f"{line}V{top - 12:.0f}H{end:.0f}V{top - 1:.0f}"
    half = min((top - bottom) / 2, 40)
    return (
        f"M{start:.0f} {bottom:.0f}C{start:.0f} {bottom + half:.0f} {end:.0f} {top - half:.0f} {end:.0f} {top - 1:.0f}"
    )


def _meets(box: Node, start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Whether a straight line from `start` to `end` meets a box that lies between their heights."""
    (x, y), (to_x, to_y) = start, end
    at = [x + (to_x - x) * (height - y) / (to_y - y) for height in (box.y, box.y + box.height)]
    return max(at) > box.x - 4 and min(at) < box.x + box.width + 4


if __name__ == "__main__":
    import sys

    sys.stdout.write(graph_svg())
