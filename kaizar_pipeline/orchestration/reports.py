"""The asset `planner_report`: the report of a hospital, made from the stored tables when those of a run are made."""

import inspect
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import dagster as dg

from kaizar_pipeline.chain.source_digest import version_of
from kaizar_pipeline.orchestration.assets import as_failures, check_specs, content_version, table_spec
from kaizar_pipeline.orchestration.partitions import HOME, HOSPITALS
from kaizar_pipeline.orchestration.pictures import Metadata, headline, picture, preview
from kaizar_pipeline.orchestration.report_run import SHOWN, Report, make_overview, make_report
from kaizar_pipeline.orchestration.session import Session
from kaizar_pipeline.tables import BED_MEETING, PLANNER_REPORT


def _code_version() -> str:
    """Changes with all that makes a report, templates and styles included."""
    folder = files("kaizar_pipeline.reporting")
    texts = [path for path in Path(str(folder)).rglob("*") if path.suffix in (".j2", ".css")]
    return version_of([make_report], [path.read_text(encoding="utf-8") for path in sorted(texts)])


@dg.multi_asset(
    name="planner_report",
    description=inspect.cleandoc(make_report.__doc__ or "").partition("\n")[0],
    specs=[table_spec(PLANNER_REPORT, "report", "html", [*SHOWN, "hospital_file", "scenario_files"], _code_version())],
    check_specs=list(check_specs(PLANNER_REPORT.name)),
    required_resource_keys={"session"},
    op_tags={"dagster/priority": "-1000"},  # after all other steps
)
def planner_report(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """The report of the hospital as a page and a spreadsheet, and its sentences as a table."""
    session: Session = context.resources.session
    with as_failures():
        report = session.report()
        make_overview(HOME, session.warehouse, HOSPITALS.get_partition_keys())
    yield dg.AssetCheckResult(asset_key=PLANNER_REPORT.name, check_name="schema", passed=True)
    yield dg.MaterializeResult(
        PLANNER_REPORT.name,
        metadata=_metadata(report, context.log.warning),
        data_version=dg.DataVersion(content_version(report.frame)),
    )


def _metadata(report: Report, warn: Callable[[str], None]) -> Metadata:
    """Where the report is, what it says, and how full the hospital will be."""
    hospital_id, tables = report.config.id, report.cells.frames
    sentences = report.frame["sentence"]
    found: Metadata = {
        "page": dg.MetadataValue.url(report.path.absolute().as_uri()),
        "folder": dg.MetadataValue.path(report.path.parent.absolute()),
        "in words": dg.MetadataValue.md("\n\n".join(sentences)),
        **picture(PLANNER_REPORT.name, tables, report.config, warn),
    }
    if BED_MEETING.name in tables:
        found |= preview(BED_MEETING, tables[BED_MEETING.name], report.cells)
    return found | headline(hospital_id, {"sentences": len(sentences), "failed checks": len(report.facts.failed)})
