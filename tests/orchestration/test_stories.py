"""One tiny hospital through the asset graph, in this process: what a run makes, reports, refuses and leaves behind.

The whole chain is run once; every story begins with a copy of that project.
"""

import base64
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from shutil import copytree
from typing import Any, NamedTuple

import dagster as dg
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from kaizar_pipeline.chain import checks, learning_steps
from kaizar_pipeline.chain.checks import checks_of
from kaizar_pipeline.chain.step import Found
from kaizar_pipeline.chain.steps import all_tables
from kaizar_pipeline.command.app import app
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.history.loading import History
from kaizar_pipeline.orchestration.pictures import NO_ROWS, PICTURES
from kaizar_pipeline.orchestration.storage import Lineage, Warehouse

from ..conftest import make_project
from .conftest import load_definitions, materialize

pytestmark = pytest.mark.integration

AS_OF = pd.Timestamp("2026-04-01")
SIMULATED = (
    "occupancy_distributions", "midnight_census", "ward_days", "ward_weeks", "level_risk", "week_profile",
    "daily_peaks", "ward_flows", "ward_performance",
    "simulation_precision", "boarding_causes",
)  # fmt: skip
NOT_YET = {"occupancy_backtest", "occupancy_scores", "forecast_log_scores", "full_backtest", "full_scores"}


class Made(NamedTuple):
    """The project, and the run that made its tables."""

    folder: Path
    run: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The project after a run of the whole chain, with a scenario of its hospital and one of another."""
    folder = make_project(tmp_path_factory.mktemp("made"), "one")
    with (folder / "hospital_configs" / "one.yml").open("a") as file:
        file.write("levels: [{name: amber, share: 0.5}]\n")
    scenarios = folder / "hospital_configs" / "scenarios"
    scenarios.mkdir()
    (scenarios / "fewer_beds.yml").write_text(
        "description: One bed closes\nhospitals: [one]\ncapacity_overrides: [{ward: ed, capacity: 1}]\n"
    )
    (scenarios / "elsewhere.yml").write_text("description: Not here\nhospitals: [two]\nnonsense: 1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAIZAR_HOME", str(folder))
        patch.setenv("KAIZAR_AS_OF", f"{AS_OF:%Y-%m-%d}")
        return Made(folder, materialize(load_definitions(patch)))


@pytest.fixture
def home(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that project, which KAIZAR_HOME names."""
    folder = copytree(made.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("KAIZAR_HOME", str(folder))
    monkeypatch.setenv("KAIZAR_AS_OF", f"{AS_OF:%Y-%m-%d}")
    return folder


@pytest.fixture
def warehouse(home: Path) -> Warehouse:
    return Warehouse(home / "data")


def lineages(warehouse: Warehouse) -> dict[str, Lineage]:
    return {name: warehouse.lineage(name, "one") for name in all_tables()}


def test_the_whole_chain(made: Made):
    run, warehouse = made.run, Warehouse(made.folder / "data")
    tables = {name: warehouse.read(name, "one") for name in all_tables()}
    # 90 days are too few to back-test, and of a first morning nothing has come yet
    empty = {"patient_rejects", *NOT_YET}
    assert {name for name, frame in tables.items() if frame.empty} == empty
    stored = {
        event.asset_key.to_user_string(): event.materialization
        for event in run.get_asset_materialization_events()
        if event.asset_key
    }
    for name in all_tables():
        lineage = warehouse.lineage(name, "one")
        assert (lineage.run_id, lineage.as_of) == (run.run_id, AS_OF)
        assert {made_from for given, made_from in lineage.inputs.items() if given in stored} <= {run.run_id}
        assert stored[name].partition == "one"
    assert set(warehouse.lineage("patients", "one").inputs) == {"hospital_file", "extract"}
    assert "arrival_rates" in warehouse.lineage("occupancy_distributions", "one").inputs

    report = stored.pop("planner_report")
    rows = {name: event.metadata["one: rows"].value for name, event in stored.items()}
    assert rows == {name: len(frame) for name, frame in tables.items()}
    assert report.partition == "one"

    evaluations = run.get_asset_check_evaluations()
    assert {evaluation.asset_key.to_user_string() for evaluation in evaluations} == {*all_tables(), "planner_report"}
    assert [evaluation.check_name for evaluation in evaluations if not evaluation.passed] == ["beds_can_cope"]


def test_the_whole_chain_of_a_hospital_without_forecast_streams(defs: dg.Definitions, home: Path, warehouse: Warehouse):
    path = home / "hospital_configs" / "one.yml"
    text = path.read_text().replace("{type: ml_poisson}", "{type: constant, mean_per_day: 6}")
    path.write_text(text.replace("  truth: {streams: {acute: {mean_per_day: 6, overdispersion: 0.02}}}\n", ""))
    run = materialize(defs)
    assert {found.check_name for found in run.get_asset_check_evaluations() if not found.passed} == {"beds_can_cope"}
    tables = {name: warehouse.read(name, "one") for name in all_tables()}
    empty = {
        "patient_rejects", "feature_table", "arrival_model", "forecast_backtest", "forecast_scores", *NOT_YET,
    }  # fmt: skip
    assert {name for name, frame in tables.items() if frame.empty} == empty
    assert warehouse.lineage("arrival_model", "one").as_of == AS_OF


def test_run_config_takes_effect_everywhere(
    defs: dg.Definitions, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
):
    simulated = (*SIMULATED, "arrival_rates", "bed_requirements", "beds_effects", "bed_allocations",
                 "occupancy_drivers", "scenario_comparison")  # fmt: skip
    before = {name: warehouse.read(name, "one") for name in simulated}
    materialize(defs, *SIMULATED, overrides={"workers": 1})
    pd.testing.assert_frame_equal(warehouse.read("midnight_census", "one"), before["midnight_census"])

    monkeypatch.setenv("KAIZAR_AS_OF", "2026-03-20")
    settings = {"seed": 1, "replications": 8}
    materialize(defs, overrides={"as_of": f"{AS_OF:%Y-%m-%d}", **settings})
    after = {name: warehouse.read(name, "one") for name in all_tables()}
    assert {frame["as_of"].max() for frame in after.values() if len(frame)} == {AS_OF}
    assert [name for name in simulated if after[name].equals(before[name])] == []
    assert set(after["occupancy_distributions"]["replications"]) == {8}
    assert after["arrival_rates"]["path"].max() == 7
    assert set(after["scenario_comparison"].query("kpi == 'requests'")["pairs"]) == {8}
    assert warehouse.lineage("scenario_comparison", "one").settings == settings
    assert warehouse.lineage("patients", "one").settings == {}


def test_scenarios_are_compared_and_shown(
    made: Made, defs: dg.Definitions, home: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
):
    comparison = warehouse.read("scenario_comparison", "one")
    assert set(comparison["scenario"]) == {"fewer_beds"}
    assert comparison.query("ward_id == 'ed' and kpi == 'hours_full_share'")["difference"].iloc[0] > 0
    (event,) = made.run.asset_materializations_for_node("scenario_comparison")
    assert event.metadata["one: scenarios"].value == 1
    assert "one: fewer_beds: change of p95_census" in event.metadata
    (coping,) = [found for found in made.run.get_asset_check_evaluations() if found.check_name == "beds_can_cope"]
    assert not coping.passed
    assert coping.metadata["overloaded wards"].value == "- fewer_beds: ed"

    # the command simulates again from the stored tables, and says the same
    monkeypatch.chdir(home)
    result = CliRunner().invoke(app, ["compare", "one", "--all"], env={"COLUMNS": "150"})
    assert result.exit_code == 0, result.output
    shown = comparison.query("ward_id == 'ed' and kpi == 'requests'")["baseline"].iloc[0]
    assert f"{shown:,.2f}" in result.stdout
    assert "Demand exceeds the beds of ed" in result.stdout
    assert "one has changed" not in result.stderr

    file = home / "hospital_configs" / "scenarios" / "fewer_beds.yml"
    text = file.read_text()
    file.write_text("description: One bed closes\nhospitals: [one]\nwards: [{id: de}]\n")
    with pytest.raises(dg.Failure, match=r"fewer_beds\.yml:3: wards\[0\]\.id: unknown ward 'de', allowed: ed, ward"):
        materialize(defs, "scenario_comparison")
    pd.testing.assert_frame_equal(warehouse.read("scenario_comparison", "one"), comparison)
    before = warehouse.lineage("scenario_comparison", "one").config_hash
    file.write_text(text.replace("capacity: 1", "capacity: 2"))
    materialize(defs, "scenario_comparison")
    assert warehouse.lineage("scenario_comparison", "one").config_hash != before


def test_a_stale_input_is_named(defs: dg.Definitions, warehouse: Warehouse):
    materialize(defs, "patients", "patient_rejects", "ward_stays", "daily_arrivals", overrides={"as_of": "2026-04-02"})
    with pytest.raises(dg.Failure, match="feature_table is as of 2026-04-01, but daily_arrivals as of 2026-04-02"):
        materialize(defs, "arrival_model")


def test_the_log_keeps_what_past_mornings_said(defs: dg.Definitions, warehouse: Warehouse):
    later = AS_OF + pd.Timedelta(days=3)
    run = materialize(
        defs,
        *("patients", "patient_rejects", "ward_stays", "daily_arrivals", "discharge_clocks", "day_factors"),
        *("length_of_stay", "arrival_profile", "routes", "feature_table", "arrival_model", "arrival_rates"),
        *("starting_census", *SIMULATED, "forecast_log", "forecast_log_scores"),
        overrides={"as_of": f"{later:%Y-%m-%d}"},
    )
    log = warehouse.read("forecast_log", "one")
    assert log.groupby("origin").size().to_dict() == {AS_OF: 3 * 6, later: 3 * 6}
    scored = log[log["pit"].notna()]
    assert set(scored["origin"]) == {AS_OF}
    assert set(scored["lead"]) == {1, 2, 3}
    assert (log["as_of"] == later).all()
    (event,) = [e for e in run.asset_materializations_for_node("forecast_log") if e.asset_key.path == ["forecast_log"]]
    assert (event.metadata["one: origins"].value, event.metadata["one: origins scored"].value) == (2, 1)
    assert set(warehouse.read("forecast_log_scores", "one")["ward_id"]) == {"ed", "ward", "_hospital"}


def test_a_run_says_what_changed_since_the_last_one(made: Made, defs: dg.Definitions, home: Path, warehouse: Warehouse):
    learned = (
        *("starting_census", "daily_arrivals", "discharge_clocks", "day_factors", "length_of_stay", "arrival_profile"),
        *("routes", "feature_table", "arrival_model", "arrival_rates"),
    )
    told = (*SIMULATED, "headline_changes", "headline_inputs")

    def said(run: dg.ExecuteInProcessResult) -> tuple[str, pd.DataFrame, list[bool | None]]:
        """What the metadata say, the rows of the latest run, and how its checks of them went."""
        (event,) = [
            found
            for found in run.asset_materializations_for_node("headline_changes")
            if found.asset_key and found.asset_key.path == ["headline_changes"]
        ]
        assert str(event.metadata["changes"].value).startswith("| ward_id | headline | before | after | change |")
        changes = warehouse.read("headline_changes", "one")
        checks = {found.check_name: found.passed for found in run.get_asset_check_evaluations()}
        return (
            str(event.metadata["in words"].value),
            changes[changes["run_number"] == changes["run_number"].max()].set_index(["headline", "ward_id"]),
            [checks.get("parts_add_up"), checks["as_published"]],
        )

    words, first, passed = said(made.run)
    assert words.endswith("not split: first run")
    assert passed == [None, True]  # nothing was split

    history = ("patients", "patient_rejects", "ward_stays")
    words, second, passed = said(materialize(defs, *history, *learned, *told, overrides={"as_of": "2026-04-02"}))
    assert " points since the last run (as of 2026-04-01), of which program 0, seed 0, config 0, data " in words
    assert second["before"].tolist() == first["after"].tolist()
    assert (second[["program", "seed", "config"]] == 0).all(axis=None)
    assert (second["data"] != 0).any()
    assert passed == [True, True]

    # the same tables again: the story stays
    _, again, _ = said(materialize(defs, "headline_changes", "headline_inputs"))
    pd.testing.assert_frame_equal(again, second)

    # a bed more, from the same tables
    path = home / "hospital_configs" / "one.yml"
    path.write_text(path.read_text().replace("capacity: 4", "capacity: 5"))
    _, third, _ = said(materialize(defs, *told))
    assert third["before"].tolist() == second["after"].tolist()
    assert third["change"].tolist() == pytest.approx(third["config"].tolist())
    assert (third["config"].loc["prob_full_day"] < 0).any()
    assert (third["since"] == pd.Timestamp("2026-04-02")).all()
    changes = warehouse.read("headline_changes", "one")
    assert changes.groupby("run_number")["origin"].first().dt.day.tolist() == [1, 2, 2]

    # with another seed than the simulation had, it is not what was published, and that is said
    _, _, passed = said(materialize(defs, "headline_changes", "headline_inputs", overrides={"seed": 1}))
    assert passed == [True, False]


@pytest.mark.parametrize("overrides", [{"as_of": "2026-03-20"}, {"snapshot": "08:00"}])
def test_a_table_of_another_as_of_than_the_run_asks_for_is_refused(
    defs: dg.Definitions, warehouse: Warehouse, overrides: dict[str, Any]
):
    before = warehouse.lineage("daily_arrivals", "one")
    with pytest.raises(dg.Failure, match="this run asks for"):
        materialize(defs, "daily_arrivals", overrides=overrides)
    assert warehouse.lineage("daily_arrivals", "one") == before


def test_another_config_is_warned_about(
    defs: dg.Definitions, home: Path, warehouse: Warehouse, capfd: pytest.CaptureFixture[str]
):
    path = home / "hospital_configs" / "one.yml"
    path.write_text(path.read_text().replace("capacity: 4", "capacity: 5"))
    materialize(defs, "daily_arrivals")
    assert "patients of one was made with another config" in capfd.readouterr().err
    hashes = {warehouse.lineage(name, "one").config_hash for name in ("patients", "daily_arrivals")}
    assert len(hashes) == 2


def test_a_damaged_input_fails_the_run_with_the_remedy_and_comes_back(defs: dg.Definitions, warehouse: Warehouse):
    path = warehouse.path("patients", "one")
    arrivals = warehouse.read("daily_arrivals", "one")
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(dg.Failure, match=f"{path}: cannot be read .*; materialize patients for one again"):
        materialize(defs, "daily_arrivals")
    pd.testing.assert_frame_equal(warehouse.read("daily_arrivals", "one"), arrivals)
    with pytest.raises(DataError):
        warehouse.read("patients", "one")
    materialize(defs, "patients", "patient_rejects", "ward_stays")
    assert len(warehouse.read("patients", "one")) == arrivals["arrivals"].sum()


def test_a_broken_config_fails_the_run_with_file_and_line(defs: dg.Definitions, home: Path, warehouse: Warehouse):
    before = lineages(warehouse)
    path = home / "hospital_configs" / "one.yml"
    path.write_text(path.read_text().replace("capacity: 4", "capacity: -4"))
    with pytest.raises(dg.Failure, match=r"^hospital_configs/one\.yml:7: wards\[0\]\.capacity: ") as failure:
        materialize(defs)
    assert failure.value.__cause__ is None
    assert lineages(warehouse) == before


def test_a_table_that_fails_its_check_is_not_stored_and_the_check_is_seen_to_fail(
    defs: dg.Definitions, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
):
    first = warehouse.lineage("daily_arrivals", "one")
    complete = learning_steps.arrivals_per_day
    monkeypatch.setattr(learning_steps, "arrivals_per_day", lambda *given: complete(*given).iloc[1:])
    run = materialize(defs, "daily_arrivals", "feature_table", raise_on_error=False)
    assert not run.success
    assert "check complete_days of daily_arrivals failed" in failure(run)
    found = {result.check_name: result.passed for result in run.get_asset_check_evaluations()}
    others = {"schema": True, "streams_as_announced": True}
    assert found == {**others, "complete_days": False, "every_request_counted": False}
    assert warehouse.lineage("daily_arrivals", "one") == first


def test_no_table_of_a_step_is_stored_when_a_check_of_another_fails(
    defs: dg.Definitions, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
):
    read = learning_steps.load_history

    def half(*given: Any) -> History:
        found = read(*given)
        return replace(found, ward_stays=found.ward_stays.iloc[:0])

    monkeypatch.setattr(learning_steps, "load_history", half)
    before = lineages(warehouse)
    run = materialize(defs, raise_on_error=False)
    assert "check flow_conservation of patients failed" in failure(run)
    assert lineages(warehouse) == before


def test_a_check_that_raises_is_named_and_keeps_the_table(
    defs: dg.Definitions, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
):
    first = warehouse.lineage("daily_arrivals", "one")
    (check,) = [check for check in checks_of("daily_arrivals") if check.name == "complete_days"]

    def broken() -> Found:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(checks, "CHECKS", [replace(check, function=broken)])
    run = materialize(defs, "daily_arrivals", raise_on_error=False)
    assert "check broken of daily_arrivals raised ZeroDivisionError: by zero" in failure(run)
    assert warehouse.lineage("daily_arrivals", "one") == first


def test_one_table_of_a_step_and_everything_after_an_asset_can_be_selected(defs: dg.Definitions, warehouse: Warehouse):
    before = lineages(warehouse)
    materialize(defs, "week_profile")
    after = lineages(warehouse)
    assert [name for name in before if before[name] != after[name]] == ["week_profile"]
    job = defs.resolve_implicit_global_asset_job_def()
    keys = dg.AssetSelection.from_string('key:"forecast_log"+').resolve(defs.resolve_asset_graph())
    assert keys > {dg.AssetKey("forecast_log")}
    assert job.execute_in_process(partition_key="one", asset_selection=sorted(keys)).success


def test_the_end_tables_tell_that_a_file_or_a_table_before_them_changed(made: Made, defs: dg.Definitions, home: Path):
    def changed(run: dg.ExecuteInProcessResult, table: str = "week_profile") -> str | None:
        (found,) = [
            result
            for result in run.get_asset_check_evaluations()
            if result.check_name == "inputs_current" and result.asset_key == dg.AssetKey(table)
        ]
        assert found.passed is (found.description is None)
        return found.description

    assert changed(made.run) is None
    materialize(defs, "daily_arrivals")
    path = home / "hospital_configs" / "one.yml"
    path.write_text(path.read_text().replace("capacity: 4", "capacity: 5"))
    text = changed(materialize(defs, "week_profile"))
    assert text is not None
    assert "hospital_file changed since patients was made" in text
    assert "daily_arrivals was made again since feature_table was made" in text


def failure(run: dg.ExecuteInProcessResult) -> str:
    """The message of the one step that failed by itself."""
    (found,) = [event.step_failure_data for event in run.all_events if event.is_step_failure]
    assert found.user_failure_data is not None
    return str(found.user_failure_data.description)


def metadata_of(run: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """The metadata of each table that a run made."""
    return {
        event.asset_key.to_user_string(): dict(event.materialization.metadata)
        for event in run.get_asset_materialization_events()
        if event.asset_key
    }


def test_tables_that_people_open_have_a_small_picture_and_rows(made: Made):
    found = metadata_of(made.run)
    drawn = {name for name, metadata in found.items() if "picture" in metadata}
    assert drawn == set(PICTURES) - {"occupancy_scores", "full_scores"}  # 90 days are too few to back-test
    for name in drawn:
        assert name == "planner_report" or found[name]["report"].asset_key == dg.AssetKey("planner_report")
        markdown = found[name]["picture"].value
        assert len(markdown) < 50_000
        alternative, _, uri = markdown.removesuffix(")").partition("](")
        assert alternative == f"![{name} of one"
        with Image.open(BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))) as picture:
            assert picture.format == "PNG"
            assert picture.width > 400
            assert picture.height > 100
    meeting = found["bed_meeting"]["first rows"]
    assert [column.name for column in meeting.schema.columns][:3] == ["ward_id", "window", "kind"]
    assert {record.data["ward_id"] for record in meeting.records} == {"ed", "ward", "_hospital"}


def test_no_row_about_a_person_is_shown(made: Made):
    ids = set(Warehouse(made.folder / "data").read("patients", "one")["patient_id"])
    assert {name for name, table in all_tables().items() if "patient_id" in table.column_names} <= set(NO_ROWS)
    for name, metadata in metadata_of(made.run).items():
        assert name not in NO_ROWS or "first rows" not in metadata, name
        for value in metadata.values():
            if isinstance(value, dg.TableMetadataValue):
                assert not ids & {cell for record in value.records for cell in record.data.values()}


def test_numbers_are_named_by_hospital(made: Made):
    """Dagster draws one line through the values of a name, whatever their partition."""
    numbers = [
        name
        for metadata in metadata_of(made.run).values()
        for name, value in metadata.items()
        if isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue)
    ]
    assert "one: highest chance" in numbers
    assert [name for name in numbers if not name.startswith("one: ")] == []


def test_the_report_ends_a_run_and_says_what_it_found(made: Made, warehouse: Warehouse):
    metadata = metadata_of(made.run)["planner_report"]
    page = made.folder / "data" / "reports" / "one" / "latest.html"
    assert metadata["page"].value == page.absolute().as_uri()
    assert (made.folder / "data" / "reports" / "index.html").is_file()
    sentences = warehouse.read("planner_report", "one")
    assert metadata["in words"].value == "\n\n".join(sentences["sentence"])
    assert metadata["one: failed checks"].value == 1
    assert sentences["ward_id"].iloc[-1] == "_hospital"
    lineage = warehouse.lineage("planner_report", "one")
    assert lineage.run_id == made.run.run_id
    assert set(lineage.inputs.values()) == {made.run.run_id}
    text = page.read_text()
    assert "beds can cope" in text
    assert "patient_id" not in text


def test_what_checks_found_is_kept(made: Made, warehouse: Warehouse):
    kept = warehouse.read("check_results", "one").set_index(["table_name", "check_name"])
    evaluated = {
        (found.asset_key.to_user_string(), found.check_name): found.passed
        for found in made.run.get_asset_check_evaluations()
        if found.check_name != "inputs_current" and found.asset_key.path != ["planner_report"]
    }
    assert kept["passed"].to_dict() == evaluated
    failed = kept.query("table_name == 'scenario_comparison' and not passed")
    assert failed["message"].tolist() == ["overloaded wards - fewer_beds: ed"]
    assert not failed["blocking"].any()
    assert (kept["checked_as_of"] == AS_OF).all()


def test_a_run_with_errors_writes_the_report_again_so_that_it_says_so(
    defs: dg.Definitions, home: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
):
    reports = home / "data" / "reports"
    before = warehouse.lineage("planner_report", "one").run_id
    complete = learning_steps.arrivals_per_day
    with monkeypatch.context() as patch:
        patch.setattr(learning_steps, "arrivals_per_day", lambda *given: complete(*given).iloc[1:])
        run = materialize(defs, "daily_arrivals", "feature_table", "planner_report", raise_on_error=False)
    assert not run.success
    kept = warehouse.read("check_results", "one").set_index(["table_name", "check_name"])
    assert not kept.loc[("daily_arrivals", "complete_days"), "passed"]
    assert kept.loc[("ward_days", "schema"), "passed"], "results of other tables stay"
    assert warehouse.lineage("planner_report", "one").run_id == run.run_id != before
    assert "complete days" in (reports / "one" / "latest.html").read_text()
    assert "complete days" in (reports / "index.html").read_text()

    def broken(*_: Any) -> None:
        raise DataError("nothing can be read")

    with monkeypatch.context() as patch:
        patch.setattr(learning_steps, "arrivals_per_day", broken)
        assert not materialize(defs, "daily_arrivals", raise_on_error=False).success
    kept = warehouse.read("check_results", "one").query("table_name == 'daily_arrivals'")
    assert kept[["check_name", "message"]].to_numpy().tolist() == [["made", "error nothing can be read"]]
    assert "nothing can be read" in (reports / "one" / "latest.html").read_text()

    materialize(defs, "daily_arrivals", "planner_report")
    assert warehouse.read("check_results", "one").query("table_name == 'daily_arrivals'")["passed"].all()
    assert "nothing can be read" not in (reports / "one" / "latest.html").read_text()


def test_with_hidden_numbers_only_the_report_shows_tables(defs: dg.Definitions, home: Path):
    path = home / "hospital_configs" / "one.yml"
    path.write_text(path.read_text() + "report: {suppress_below: 5}\n")
    found = metadata_of(materialize(defs, "ward_history_days", "observed_flows", "ward_history", "ward_now",
                                    "planner_report"))  # fmt: skip
    assert set(found["ward_now"]) == {"report"}
    shown = found["planner_report"]["first rows"].records
    cells = [cell for record in shown for name, cell in record.data.items() if name in ("in_beds", "free_now")]
    assert "*" in cells
    assert not any(isinstance(cell, int) and 0 < cell < 5 for cell in cells)


def test_a_file_with_errors_is_named_among_all_hospitals(defs: dg.Definitions, home: Path):
    path = home / "hospital_configs" / "one.yml"
    path.write_text(path.read_text().replace("capacity: 4", "capacity: -4"))
    assert not materialize(defs, "daily_arrivals", raise_on_error=False).success
    assert "one.yml:7: wards[0].capacity" in (home / "data" / "reports" / "index.html").read_text()
