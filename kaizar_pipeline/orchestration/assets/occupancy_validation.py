"""How far to trust the occupancy: the whole chain run again as of past mornings, and what past runs really said."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd
from pydantic import Field

from kaizar_pipeline.chain.in_memory import prepare_backtest
from kaizar_pipeline.history.loading import History
from kaizar_pipeline.orchestration import checks
from kaizar_pipeline.orchestration.stage import SIMULATES, Stage, readable_faults, table_spec
from kaizar_pipeline.patients.observed_census import observed_midnights
from kaizar_pipeline.planning.census_backtest import ORIGINS, REPLICATIONS, TWIN, BacktestOptions, backtest_occupancy
from kaizar_pipeline.planning.forecast_log import SCORED_DAYS, extend_log, score_log
from kaizar_pipeline.tables import HOSPITAL_TOTAL

_BACKTEST = ("occupancy_backtest", "occupancy_scores")
_LOG = ("forecast_log", "forecast_log_scores")


class OccupancyBacktestConfig(dg.Config):
    """Run config of the back-test of the census."""

    dates: int = Field(ORIGINS, ge=0, le=200, description="Past origins to look ahead from; 0: none. Default: 12.")
    replications: int = Field(REPLICATIONS, ge=2, description="Replications for each origin. Default: 200.")


@dg.multi_asset(
    specs=[table_spec(name, "validation", "patients", "ward_stays", kinds=["python"]) for name in _BACKTEST],
    check_specs=checks.specs(*_BACKTEST),
    required_resource_keys=SIMULATES,
)
def occupancy_validation(
    context: dg.AssetExecutionContext, config: OccupancyBacktestConfig
) -> Iterator[dg.MaterializeResult]:
    """The back-test of every ward's midnight census and its scoreboard."""
    with readable_faults():
        stage = Stage(context)
        patients, ward_stays = stage.load("patients", "ward_stays")
        as_of = patients["as_of"].iloc[0]
        result = backtest_occupancy(
            stage.as_wanted,
            History(as_of, patients, pd.DataFrame(), ward_stays, days_behind=0),
            prepare_backtest,
            stage.home,
            BacktestOptions(
                origins=config.dates,
                replications=config.replications,
                workers=stage.workers,
                progress=lambda done, of: context.log.info(f"{done} of {of} past origins done"),
            ),
            kept=stage.reusable("occupancy_backtest"),
        )
        for note in result.notes:
            context.log.warning(note)
        backtest, scores = result.occupancy_backtest, result.occupancy_scores
        metadata: dict[str, float | str] = {"dates": int(backtest["origin"].nunique())}
        if result.notes:
            metadata["notes"] = "; ".join(result.notes)
        yield stage.save("occupancy_backtest", backtest, as_of, metadata)
        twin = scores[scores["method"] == TWIN]
        yield stage.save("occupancy_scores", scores, as_of, _headline(twin), [checks.census_covered(twin)])


@dg.multi_asset(
    specs=[table_spec(name, "validation", "patients", "ward_stays", "midnight_census") for name in _LOG],
    check_specs=checks.specs(*_LOG),
    required_resource_keys={"warehouse"},
)
def forecast_log(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """What each run said, kept over runs, and how good the last mornings were."""
    with readable_faults():
        stage = Stage(context)
        patients, ward_stays, midnights = stage.load("patients", "ward_stays", "midnight_census")
        as_of = patients["as_of"].iloc[0]
        log = extend_log(
            stage.previous("forecast_log"), midnights, observed_midnights(patients, ward_stays, stage.config.ward_ids)
        )
        scored = log[log["pit"].notna()]
        metadata = {"mornings": int(log["origin"].nunique()), "mornings scored": int(scored["origin"].nunique())}
        yield stage.save("forecast_log", log, as_of, metadata)
        scores = score_log(log, as_of)
        results = [checks.mornings_covered(scores)]
        yield stage.save("forecast_log_scores", scores, as_of, {"mornings": SCORED_DAYS} | _headline(scores), results)


def _headline(scores: pd.DataFrame) -> dict[str, float | str]:
    """Coverage of the 80 % intervals by week ahead, mean over the wards."""
    wards = scores[scores["ward_id"] != HOSPITAL_TOTAL]
    return {
        f"coverage of 80 % intervals, week {week}": float(share)
        for week, share in wards.groupby("lead_week")["coverage80"].mean().items()
    }
