"""The reader that other tests trust: what it lets pass, and what it does not."""

import pandas as pd
import pytest
from traced import problems, shows

from kaizar_pipeline.tables import TABLES

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("52\u00a0%", 0.5249), ("<1\u00a0%", 0.005), (">99\u00a0%", 0.997), ("0\u00a0%", 0.0), ("52", 0.52),
        ("52", 52.3),
        ("+5", 5.2), ("−11", -0.1107), ("0", -0.2), ("54\u2009764", 54764), ("2.3", 2.345), ("Two", 2), ("no", 0),
        ("9 days in 10", 0.1), ("97\u00a0% of days", 0.03), ("17:00", 17), ("–", None), ("*", 3), ("–", float("nan")),
    ],
)  # fmt: skip
def test_a_value_rounded_as_shown_passes(text: str, value: float | None):
    assert shows(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("53\u00a0%", 0.5249), ("<1\u00a0%", 0.0), ("<1\u00a0%", 0.02), ("0\u00a0%", 0.006), (">99\u00a0%", 1.0),
        ("52", 51.3),
        ("5", -5.2), ("−5", 5), ("2.3", 2.4), ("Two", 3), ("9 days in 10", 0.2), ("5", None), ("–", 3), ("about 5", 5),
    ],
)  # fmt: skip
def test_another_value_does_not(text: str, value: float | None):
    assert not shows(text, value)


def test_the_bias_is_shown_without_its_sign():
    assert shows("1.2", -1.21, "occupancy_scores.bias/twin/icu/0/1")
    assert not shows("1.2", -1.21, "occupancy_scores.mae/twin/icu/0/1")


FRAME = pd.DataFrame({"ward_id": ["icu", "a/b"], "in_beds": [4, 0], "staffed_beds": [11, 3]})


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<p>no number</p>", []),
        ("<data data-of='ward_now.in_beds/icu'>4</data>", []),
        ("<data data-of='ward_now.in_beds/a/b'>0</data>", []),
        ("<data data-of='ward_now.rows'>2</data> <data data-of='constant/half'>50 %</data>", []),
        ("<time datetime='2026-11-28T08:00'>Sat 28 Nov 8:00</time><code>2222cee</code><samp>in 3 rows</samp>", []),
        ("<bdi>Ward 4</bdi><svg><text class='tick'>10</text></svg>", []),
        ("<svg><text><tspan data-of='ward_now.rows'>2</tspan></text></svg>", []),
        ("<td><data data-of='ward_now.rows'>2</data><td>none<tr><td>x", []),
        ("<svg aria-label='2 rows'></svg><data data-of='ward_now.rows'>2</data>", []),
        ("<p>4 patients</p>", ["bare: '4 patients' in <p>"]),
        ("<data data-of='ward_now.rows'>2</data> of 3", ["bare: 'of 3' in <main>"]),
        ("<td><data data-of='ward_now.rows'>2</data><td>3</td>", ["bare: '3' in <td>"]),
        ("<svg><text>10</text></svg>", ["bare: '10' in <text>"]),
        ("<svg aria-label='7 rows'></svg>", ["label: '7 rows'"]),
        ("<bdi>Ward 5</bdi>", ["name: 'Ward 5'"]),
        ("<time datetime='2026-11-28'>29 Nov</time>", ["2026-11-28: shown is '29 Nov'"]),
        ("<data data-of='ward_now.in_beds/icu'>5</data>", ["ward_now.in_beds/icu: shown is '5', the cell is 4"]),
        ("<data data-of='ward_now.in_beds/ed'>4</data>", ["ward_now.in_beds/ed: there is no such cell, shown is '4'"]),
        ("<data data-of='ward_now.cost/icu'>4</data>", ["ward_now.cost/icu: there is no such cell, shown is '4'"]),
        ("<data data-of='constant/none'>4</data>", ["constant/none: there is no such cell, shown is '4'"]),
    ],
)  # fmt: skip
def test_every_digit_needs_someone_to_vouch_for_it(html: str, found: list[str]):
    head = "<head><title>Page 9</title><style>a{margin:9px}</style></head>"
    assert (
        problems(
            f"<!doctype html><html>{head}<main>{html}</main></html>",
            {"ward_now": FRAME},
            TABLES,
            {"half": 0.5},
            ["Ward 4"],
        )
        == found
    )
