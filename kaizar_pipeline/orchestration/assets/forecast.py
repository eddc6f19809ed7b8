"""What is to be expected: features, the model of arrivals, and its rates for the days ahead."""

import dagster as dg
import numpy as np

from kaizar_pipeline.forecasting.drift import level_drift
from kaizar_pipeline.forecasting.features import make_feature_table
from kaizar_pipeline.forecasting.model import train_lgbm_poisson
from kaizar_pipeline.forecasting.notes import forecast_notes
from kaizar_pipeline.forecasting.rates import forecast_rates
from kaizar_pipeline.orchestration import checks
from kaizar_pipeline.orchestration.stage import SIMULATES, Stage, readable_faults, table_spec


@dg.multi_asset(
    specs=[table_spec("feature_table", "forecast", "daily_arrivals")],
    check_specs=checks.specs("feature_table"),
    required_resource_keys={"warehouse"},
)
def feature_table(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """What the model is trained on and predicts from."""
    with readable_faults():
        stage = Stage(context)
        (arrivals,) = stage.load("daily_arrivals")
        features = make_feature_table(arrivals, stage.config, stage.home)
        metadata = {f"{use} rows": int(n) for use, n in features["use"].value_counts().items()}
        return stage.save("feature_table", features, arrivals["as_of"].iloc[0], metadata)


@dg.multi_asset(
    specs=[table_spec("arrival_model", "forecast", "daily_arrivals", "feature_table", kinds=["lightgbm"])],
    check_specs=checks.specs("arrival_model"),
    required_resource_keys={"warehouse"},
)
def arrival_model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The trained model of every forecast stream."""
    with readable_faults():
        stage = Stage(context)
        arrivals, features = stage.load("daily_arrivals", "feature_table")
        model = train_lgbm_poisson(features)
        metadata: dict[str, float | str] = {
            f"trees of {stream}": int(n) for stream, n in zip(model["stream_id"], model["trees"], strict=True)
        }
        metadata |= {f"forecast of {stream}": note for stream, note in forecast_notes(model, arrivals).items()}
        results = [checks.level_steady(level_drift(arrivals, stage.config, stage.home))]
        return stage.save("arrival_model", model, arrivals["as_of"].iloc[0], metadata, results)


@dg.multi_asset(
    specs=[table_spec("arrival_rates", "forecast", "daily_arrivals", "feature_table", "arrival_model")],
    check_specs=checks.specs("arrival_rates"),
    required_resource_keys=SIMULATES,
)
def arrival_rates(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Rate paths of every stream for the days ahead."""
    with readable_faults():
        stage = Stage(context)
        arrivals, features, model = stage.load("daily_arrivals", "feature_table", "arrival_model")
        rates = forecast_rates(model, features, arrivals, stage.as_wanted)
        mean = rates[rates["path"] == 0].groupby("date")["mean_rate"].sum()
        metadata = {"mean per day": float(np.mean(mean)), "days": len(mean)}
        return stage.save("arrival_rates", rates, arrivals["as_of"].iloc[0], metadata)
