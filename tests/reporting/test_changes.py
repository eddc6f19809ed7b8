"""What changed and what would help, from rows written by hand, word by word."""

import pandas as pd
import pytest
from told_wards import SUNDAY, Told, filled, hospital_of

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.reporting.changes import allocation, changes, points
from kaizar_pipeline.reporting.numbers import Cells
from kaizar_pipeline.reporting.record import losses, trust
from kaizar_pipeline.tables import HOSPITAL_TOTAL, TABLES

pytestmark = pytest.mark.unit

SMALL = 0.001


def cells_of(table: str, rows: list[dict[str, object]], wards: int = 2) -> tuple[Cells, HospitalConfig]:
    config = hospital_of({f"w{number}": Told((0.1,)) for number in range(wards)})
    return Cells({table: filled(table, pd.DataFrame(rows), SUNDAY)}, TABLES), config


def changed(ward: str, before: float, note: str | None = None, **parts: float) -> dict[str, object]:
    all_parts = {name: parts.get(name, 0.0) for name in ("program", "seed", "config", "data", "model")}
    errors = {f"{name}_se": SMALL for name in ("seed", "config", "data", "model")}
    change = sum(all_parts.values())
    return {
        "run_number": 2, "ward_id": ward, "headline": "prob_full_day", "unit": "probability", "origin": SUNDAY,
        "since": SUNDAY - pd.Timedelta(days=1), "before": before, "after": before + change, "change": change,
        "change_se": 0.01, "note": note, **all_parts, **errors,
    }  # fmt: skip


def test_changes_are_told_largest_first_with_what_they_come_from():
    rows = [
        changed("w0", 0.2, data=0.03, config=0.02),
        changed("w1", 0.5, data=-0.11),
        changed(HOSPITAL_TOTAL, 0.1, model=0.01),
    ]
    found = changes(*cells_of("headline_changes", rows))
    assert found is not None
    told = [(str(one.label), one.change.text, one.before.text, one.after.text, str(one.why)) for one in found.rows]
    assert [tuple(text.replace("\u00a0", " ") for text in row) for row in told] == [
        ("w1", "−11", "50 %", "39 %", "new patients, stays and arrivals"),
        ("w0", "+5", "20 %", "25 %", "new patients, stays and arrivals: +3; changed settings: +2"),
        ("Whole hospital", "+1", "10 %", "11 %", "no more than chance"),
    ]
    assert str(found.in_short) == "Being full is more likely in w0 (+5 points); less likely in w1 (−11 points)."
    assert found.are_all


def test_of_many_wards_those_are_shown_that_changed_by_more_than_chance():
    rows = [changed(f"w{number}", 0.5, data=0.1 * (number == 3)) for number in range(12)]
    found = changes(*cells_of("headline_changes", rows, wards=12))
    assert found is not None
    assert [str(one.label) for one in found.rows] == ["w3"]
    assert not found.are_all


def test_a_change_that_is_not_split_has_the_reason_in_place_of_causes():
    found = changes(*cells_of("headline_changes", [changed("w0", 0.5, note="other wards than in the last run")]))
    assert found is not None
    assert str(found.rows[0].why) == "other wards than in the last run"
    assert str(found.in_short).startswith("Being full is as likely as it was")


def test_a_first_run_has_nothing_to_compare_with():
    rows = [changed("w0", 0.5, note="first run") | {"since": None, "before": None, "change": None}]
    assert changes(*cells_of("headline_changes", rows)) is None


@pytest.mark.parametrize(("share", "text"), [(0.052, "+5"), (-0.11, "−11"), (0.004, "0"), (-0.004, "0"), (0.0, "0")])
def test_points_have_a_sign_unless_they_round_to_nothing(share: float, text: str):
    assert points(share) == text


def placed(rank: int, beds: tuple[int, int], prevented: float, behind: float) -> list[dict[str, object]]:
    common = {"extra_beds": 2, "rank": rank, "baseline_harm": 2000.0, "harm": 2000 - prevented, "prevented": prevented}
    errors = {"prevented_se": 50.0, "behind_best": behind, "behind_best_se": 20.0 * (rank > 1)}
    return [{**common, **errors, "ward_id": f"w{number}", "beds_added": added} for number, added in enumerate(beds)]


def test_the_best_places_of_beds_are_told_with_those_as_good():
    rows = [*placed(1, (1, 1), 600, 0), *placed(2, (2, 0), 570, 30), *placed(3, (0, 2), 100, 500)]
    assert [str(one).replace("\u2009", " ") for one in allocation(*cells_of("bed_allocations", rows))] == [
        "2 extra beds help most as 1 in w0, 1 in w1: they prevent 600 of 2 000 hours of harm, with a standard error of "
        "50.",
        "As good: 2 in w0.",
    ]


def test_beds_that_help_no_more_than_chance_are_not_recommended():
    rows = [*placed(1, (1, 1), 60, 0), *placed(2, (2, 0), 50, 10)]
    assert [str(one) for one in allocation(*cells_of("bed_allocations", rows))] == [
        "2 extra beds, wherever they are, would prevent no more harm than chance."
    ]


def scored(method: str, ward: str, crps: float, **other: float) -> dict[str, object]:
    known = {
        "n": 84,
        "origins": 12,
        "coverage80": 0.8,
        "coverage80_low": 0.6,
        "coverage80_high": 0.95,
        "bias": 0.1,
        "bias_se": 0.2,
    }
    return {"method": method, "ward_id": ward, "hour": 0, "lead_week": 1, "crps": crps, **known, **other}


def test_trust_names_the_wards_that_were_off():
    rows = [
        scored("twin", HOSPITAL_TOTAL, 4.0, coverage80=0.79),
        scored("twin", "w0", 1.0, coverage80=0.5),
        scored("twin", "w1", 1.0, bias=-1.2),
    ]
    assert str(trust(*cells_of("occupancy_scores", rows))).replace("\u00a0", " ") == (
        "Forecasts from 12 past days were compared with what happened: the 80 % interval of the census of the hospital "
        "at midnight, up to a week ahead, held 79 % of 84 times. Too rarely they held in w0. In w1 they were 1.2 beds "
        "too low."
    )


def test_where_a_simpler_method_was_closer_is_told():
    rows = [
        scored("twin", "w0", 1.29), scored("weekday", "w0", 1.16), scored("persistence", "w0", 1.2),
        scored("twin", "w1", 1.0), scored("weekday", "w1", 1.1),
    ]  # fmt: skip
    assert [str(one) for one in losses(*cells_of("occupancy_scores", rows))] == [
        "w0, week 1: the weekday's mean of a year missed by 1.16 beds on average, the forecast by 1.29."
    ]


def test_a_single_ward_is_not_told_again_as_the_hospital():
    places = ("w0", HOSPITAL_TOTAL)
    rows = [scored(method, ward, crps) for ward in places for method, crps in (("twin", 1.3), ("weekday", 1.2))]
    assert len(losses(*cells_of("occupancy_scores", rows, wards=1))) == 1
    found = changes(*cells_of("headline_changes", [changed(ward, 0.2, data=0.03) for ward in places], wards=1))
    assert found is not None
    assert str(found.in_short) == "Being full is more likely in w0 (+3 points)."
