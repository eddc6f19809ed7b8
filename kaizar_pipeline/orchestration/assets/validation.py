"""How far to trust it: the forecast run again as of earlier days, and its scores."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd
from pydantic import Field

from kaizar_pipeline.forecasting.forecast_backtest import MODEL, ORIGINS, backtest_forecast, score_forecasts
from kaizar_pipeline.orchestration import checks
from kaizar_pipeline.orchestration.stage import SIMULATES, Stage, readable_faults, table_spec

_TABLES = ("forecast_backtest", "forecast_scores")


class BacktestConfig(dg.Config):
    """Run config of the back-test."""

    origins: int = Field(ORIGINS, ge=1, le=100, description="Earlier days to forecast from. Default: 12.")


@dg.multi_asset(
    specs=[table_spec(name, "forecast", "daily_arrivals", kinds=["lightgbm"]) for name in _TABLES],
    check_specs=checks.specs(*_TABLES),
    required_resource_keys=SIMULATES,
)
def forecast_validation(context: dg.AssetExecutionContext, config: BacktestConfig) -> Iterator[dg.MaterializeResult]:
    """The back-test of every forecast stream and its scoreboard."""
    with readable_faults():
        stage = Stage(context)
        (arrivals,) = stage.load("daily_arrivals")
        as_of = arrivals["as_of"].iloc[0]
        backtest = backtest_forecast(
            arrivals,
            stage.as_wanted,
            stage.home,
            origins=config.origins,
            kept=stage.reusable("forecast_backtest"),
            workers=stage.workers,
        )
        scores = score_forecasts(backtest)
        origins = int(backtest["origin"].nunique())
        if stage.config.forecast_streams and not origins:
            context.log.info(f"{stage.config.id}: too few days of history to back-test the forecast")
        yield stage.save("forecast_backtest", backtest, as_of, {"origins": origins})
        results = [checks.skilful(scores), checks.calibrated(scores)]
        yield stage.save("forecast_scores", scores, as_of, _headline(scores), results)


def _headline(scores: pd.DataFrame) -> dict[str, float | str]:
    """Skill and coverage of the model over its streams, and where another method is better."""
    board = scores[(scores["method"] == MODEL) & (scores["horizon_week"] == 0)]
    if board.empty:
        return {"streams": 0, "note": "no forecast stream with enough history to back-test"}
    days, weeks = (board[board["span"] == span].set_index("stream_id") for span in ("day", "week"))
    found: dict[str, float | str] = {"streams": len(days)}
    if days["skill"].notna().any():
        found["skill over seasonal naive, days"] = float(days["skill"].mean())
    found["coverage of 80 % interval, days"] = float(days["coverage80"].mean())
    if len(weeks):
        found["coverage of 80 % interval, 7-day sums"] = float(weeks["coverage80"].mean())
    lost = days["loses_to"].dropna()
    return found | {f"{stream} loses to": str(methods) for stream, methods in lost.items()}
