"""What happened up to as_of: patients, rejects and ward stays, then arrivals per day and lengths of stay."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from kaizar_pipeline.history.loading import load_history
from kaizar_pipeline.orchestration import checks
from kaizar_pipeline.orchestration.stage import Stage, readable_faults, table_spec
from kaizar_pipeline.patients.daily_arrivals import arrivals_per_day
from kaizar_pipeline.patients.length_of_stay import lengths_of_stay


class HistoryConfig(dg.Config):
    """Run config of the history."""

    as_of: str | None = Field(
        None, description="Local midnight to forecast from, as 2026-11-01. Default: KAIZAR_AS_OF, else as the data say."
    )


@dg.multi_asset(
    specs=[table_spec(name, "patients") for name in ("patients", "patient_rejects", "ward_stays")],
    check_specs=checks.specs("patients", "patient_rejects", "ward_stays"),
    required_resource_keys={"warehouse"},
)
def history(context: dg.AssetExecutionContext, config: HistoryConfig) -> Iterator[dg.MaterializeResult]:
    """The hospital's history: simulated, or read from its extract."""
    with readable_faults():
        stage = Stage(context)
        for warning in stage.warnings:
            context.log.info(warning)
        found = load_history(stage.config, stage.home, config.as_of)
        results = [checks.flow_conservation(found), checks.up_to_date(found, stage.config.patients.max_age_days)]
        in_house = int((found.ward_stays["depart"].isna() & found.ward_stays["admit"].notna()).sum())
        metadata = {"days behind": found.days_behind, "in beds": in_house}
        yield stage.save("patients", found.patients, found.as_of, metadata, results)
        rejects = len(found.patient_rejects)
        if rejects:
            context.log.warning(f"{rejects:,} rows of the extract are set aside, and why: see patient_rejects")
        yield stage.save("patient_rejects", found.patient_rejects, found.as_of, {})
        yield stage.save("ward_stays", found.ward_stays, found.as_of, {})


@dg.multi_asset(
    specs=[table_spec("daily_arrivals", "patients", "patients")],
    check_specs=checks.specs("daily_arrivals"),
    required_resource_keys={"warehouse"},
)
def daily_arrivals(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Requests per stream and complete day."""
    with readable_faults():
        stage = Stage(context)
        (patients,) = stage.load("patients")
        arrivals = arrivals_per_day(patients, stage.config)
        observed = arrivals[arrivals["observed"]]
        metadata = {
            "mean per day": float(observed.groupby("date")["arrivals"].sum().mean()),
            "days not observed": int((~arrivals["observed"]).sum() / arrivals["stream_id"].nunique()),
        }
        results = [checks.complete_days(arrivals), checks.every_request_counted(arrivals, patients)]
        return stage.save("daily_arrivals", arrivals, arrivals["as_of"].iloc[0], metadata, results)


@dg.multi_asset(
    specs=[table_spec("length_of_stay", "patients", "patients", "ward_stays")],
    check_specs=checks.specs("length_of_stay"),
    required_resource_keys={"warehouse"},
)
def length_of_stay(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Lengths of stay, as configured and as the history shows them."""
    with readable_faults():
        stage = Stage(context)
        patients, ward_stays = stage.load("patients", "ward_stays")
        lengths = lengths_of_stay(patients, ward_stays, stage.config)
        metadata = {"in use": int(lengths["in_use"].sum())}
        results = [checks.as_configured(lengths)]
        return stage.save("length_of_stay", lengths, patients["as_of"].iloc[0], metadata, results)
