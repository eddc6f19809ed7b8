"""The files upstream of a hospital's tables: their versions, and the sensor that observes them."""

from pathlib import Path

import dagster as dg
import pytest

from kaizar_pipeline.orchestration.input_files import file_states, file_versions

from .conftest import materialize

pytestmark = pytest.mark.integration

EXTRACT = """\
patients:
  source: csv
  path: records/patients.csv
  columns: {patient_id: id, arrival: came, departure: went}
"""


@pytest.fixture
def recorded(home: Path) -> Path:
    """The project, whose hospital reads an extract."""
    file = home / "hospital_configs" / "one.yml"
    before, _, rest = file.read_text().partition("patients:\n")
    rest = rest[rest.index("wards:") :].replace("type: schedule, pattern: Mon, mean_per_day: 1.5", "type: ml_poisson")
    streams = "  streams: {a: acute, p: planned}\n"
    file.write_text(before + EXTRACT.replace("went}", "went, service: unit}") + streams + rest)
    (home / "records").mkdir()
    (home / "records" / "patients.csv").write_text("id,came,went,unit\n1,2026-01-01,,a\n")
    return home


def test_a_version_changes_with_the_contents_and_with_nothing_else(recorded: Path):
    before = file_versions(recorded, "one")
    extract = recorded / "records" / "patients.csv"
    extract.touch()
    assert file_versions(recorded, "one") == before
    extract.write_text(extract.read_text() + "2,2026-01-02,,a\n")
    after = file_versions(recorded, "one")
    assert {name for name in before if before[name] != after[name]} == {"extract"}
    (recorded / "hospital_configs" / "scenarios").mkdir()
    (recorded / "hospital_configs" / "scenarios" / "more.yml").write_text("description: More\n")
    assert file_versions(recorded, "one")["scenario_files"] != after["scenario_files"]


def test_the_files_of_a_hospital_that_cannot_be_read_are_still_observed(recorded: Path):
    (recorded / "hospital_configs" / "one.yml").write_text("wards: [")
    states = file_states(recorded, "one")
    assert [path.name for path in states["hospital_file"].paths] == ["one.yml"]
    assert states["extract"].paths == ()


def test_the_files_of_a_hospital_that_is_gone_or_goes_are_not_an_error(recorded: Path):
    states = file_states(recorded, "one")
    before = states["hospital_file"].version
    (recorded / "hospital_configs" / "one.yml").unlink()
    assert states["hospital_file"].version != before
    assert [state.paths for state in file_states(recorded, "one").values()] == [(), (), ()]


def test_a_hospital_whose_file_is_gone_since_the_start_fails_in_one_message(home: Path, defs: dg.Definitions):
    file = home / "hospital_configs" / "one.yml"
    file.rename(file.with_stem("two"))
    for table in ("patients", "length_of_stay"):
        failed = materialize(defs, table, raise_on_error=False)
        (step,) = [event for event in failed.all_events if event.is_step_failure]
        known = step.step_failure_data.user_failure_data
        assert known
        assert known.description == "unknown hospital 'one', allowed: two"
    with dg.build_sensor_context(definitions=defs) as context:
        assert defs.resolve_sensor_def("changed_files").evaluate_tick(context).asset_events == []


def test_the_sensor_observes_changed_files_only(recorded: Path, defs: dg.Definitions):
    sensor = defs.resolve_sensor_def("changed_files")

    def observed(cursor: str | None) -> tuple[list[str], str | None]:
        with dg.build_sensor_context(cursor=cursor, definitions=defs) as context:
            result = sensor.evaluate_tick(context)
        return sorted(event.asset_key.to_user_string() for event in result.asset_events), result.cursor

    first, cursor = observed(None)
    assert first == ["extract", "hospital_file"]
    assert observed(cursor) == ([], cursor)
    (recorded / "records" / "patients.csv").write_text("id,came,went,unit\n")
    changed, _ = observed(cursor)
    assert changed == ["extract"]
