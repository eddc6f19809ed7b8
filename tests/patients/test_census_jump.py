"""The census at as_of beside the weeks before: what stops a run, what warns, and what is named as the likely cause."""

import pandas as pd
import pytest

from kaizar_pipeline.chain.checks import census_as_usual, census_possible
from kaizar_pipeline.chain.step import Found, Run
from kaizar_pipeline.patients.census_jump import census_jump
from kaizar_pipeline.patients.records import Records
from tests.support.small_extracts import make_hospital

pytestmark = pytest.mark.unit

AS_OF = pd.Timestamp("2024-06-10")
Row = tuple[str, pd.Timestamp, pd.Timestamp | None]


def visits(days: int, per_day: int = 20) -> list[Row]:
    """Stays of three days, so many begun each noon of the days before AS_OF."""
    noons = [AS_OF - pd.Timedelta(days=n, hours=-12) for n in range(1, days + 1)]
    stay = pd.Timedelta(days=3)
    return [
        (f"{noon:%m%d}-{n}", noon, noon + stay if noon + stay < AS_OF else None)
        for noon in noons
        for n in range(per_day)
    ]


@pytest.fixture
def read_visits(read):
    def read_visits(rows: list[Row], **patients) -> tuple[Run, Records]:
        lines = [
            f"{i},X,{came:%Y-%m-%d %H:%M},{f'{went:%Y-%m-%d %H:%M}' if went else ''},acute" for i, came, went in rows
        ]
        text = "\n".join(["id,name,came,went,unit", *lines])
        return Run(make_hospital(**patients)), read(text, as_of=f"{AS_OF:%Y-%m-%d}", **patients)

    return read_visits


def found(run: Run, records: Records) -> tuple[Found, Found]:
    tables = (records.patients, records.patient_rejects, records.ward_stays)
    return census_possible(run, *tables), census_as_usual(run, *tables)


def test_a_usual_census_passes(read_visits):
    stops, warns = found(*read_visits(visits(70)))
    assert stops.passed
    assert stops.figures == {"patients": 60, "usual": 60.0}
    assert warns.passed


def test_lost_departures_double_the_census_and_are_named(read_visits):
    rows = [(i, came, None if came > AS_OF - pd.Timedelta(days=7) else went) for i, came, went in visits(70)]
    run, records = read_visits(rows)
    stops, warns = found(run, records)
    assert not stops.passed
    assert not warns.passed
    jump = census_jump(run.config, records.patients, records.patient_rejects, records.ward_stays)
    assert jump is not None
    assert (jump.census, jump.usual) == (140, 60.0)
    assert jump.causes[-1] == "the last departure is of 2024-06-05: the extract may be cut off"
    assert "patients.census: expected" in str(stops)


def test_departures_that_cannot_be_read_halve_it_and_are_named(read, read_visits):
    rows = visits(70)
    lines = [
        f"{i},X,{came:%Y-%m-%d %H:%M},{f'{went:%Y-%m-%d %H:%M}' if went else 'later'},acute" for i, came, went in rows
    ]
    records = read("\n".join(["id,name,came,went,unit", *lines]), as_of=f"{AS_OF:%Y-%m-%d}")
    stops, _ = found(Run(make_hospital()), records)
    assert not stops.passed
    assert "60 patients of these weeks departed at an unknown time" in str(stops)


def test_visits_that_never_end_are_named_with_the_key(read_visits):
    ghosts = [(f"g{n}", AS_OF - pd.Timedelta(days=6, minutes=n), None) for n in range(80)]
    stops, _ = found(*read_visits(visits(70) + ghosts))
    assert "80 visits are open for longer than any completed stay; set patients.max_open_days: 3" in str(stops)
    stops, warns = found(*read_visits(visits(70) + ghosts, max_open_days=3.0))
    assert stops.passed
    assert warns.passed


def test_an_expected_census_does_not_stop_but_warns(read_visits):
    rows = [(i, came, None if came > AS_OF - pd.Timedelta(days=7) else went) for i, came, went in visits(70)]
    stops, warns = found(*read_visits(rows, census="expected"))
    assert stops.nothing_to_check
    assert not warns.passed


def test_a_lesser_jump_warns(read_visits):
    more = [(f"m{n}", AS_OF - pd.Timedelta(hours=5), None) for n in range(40)]
    stops, warns = found(*read_visits(visits(70) + more))
    assert stops.passed
    assert not warns.passed


@pytest.mark.parametrize(("days", "patients"), [(50, {}), (70, {"missing_departure": "unknown"})])
def test_without_eight_weeks_or_departures_there_is_nothing_to_compare(read_visits, days, patients):
    stops, warns = found(*read_visits(visits(days), **patients))
    assert stops.nothing_to_check
    assert warns.nothing_to_check


def test_a_few_patients_may_double_by_chance(read_visits):
    rows = visits(70, per_day=1) + [(f"m{n}", AS_OF - pd.Timedelta(hours=5), None) for n in range(4)]
    assert found(*read_visits(rows))[0].passed
