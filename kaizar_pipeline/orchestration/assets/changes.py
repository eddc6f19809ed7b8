"""What changed since the last run."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from kaizar_pipeline.orchestration import checks
from kaizar_pipeline.orchestration.stage import SIMULATES, Stage, readable_faults, table_spec
from kaizar_pipeline.planning.headline_changes import (
    PARTS,
    changes_in_words,
    compare_headlines,
    inputs_of_headline,
    points,
)

_FROM = (
    "patients", "ward_stays", "length_of_stay", "feature_table", "arrival_model", "occupancy_distributions",
)  # fmt: skip
_TABLES = ("headline_inputs", "headline_changes")


@dg.multi_asset(
    specs=[table_spec(name, "planning", *_FROM, kinds=["python"]) for name in _TABLES],
    check_specs=checks.specs(*_TABLES),
    required_resource_keys=SIMULATES,
)
def headline_changes(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """The headline of each ward, and why it is another one than in the last run."""
    with readable_faults():
        stage = Stage(context)
        *tables, distributions = stage.load(*_FROM)
        as_of = distributions["as_of"].iloc[0]
        found = compare_headlines(
            stage.previous("headline_changes"),
            stage.previous("headline_inputs"),
            inputs_of_headline(stage.as_wanted, *tables),
            int(distributions["replications"].iloc[0]),
            workers=stage.workers,
        )
        # inputs first: a run that dies between the two is found again by them
        yield stage.save("headline_inputs", found.headline_inputs, as_of, {})
        results = [checks.parts_add_up(found.latest), checks.as_published(found.latest, distributions)]
        metadata = {"in words": changes_in_words(found.latest), "changes": _shown(found.latest)}
        yield stage.save("headline_changes", found.headline_changes, as_of, metadata, results)


def _shown(latest: pd.DataFrame) -> dg.MetadataValue:
    """The latest rows as a Markdown table, probabilities in per cent and percentage points."""
    columns = ("ward_id", "headline", "before", "after", "change", *PARTS, "note")
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for _, row in latest.sort_values(["headline", "ward_id"], ascending=[False, True]).iterrows():
        share = row["headline"] == "prob_full"
        levels = [_level(row[name], share) for name in ("before", "after")]
        differences = [_difference(row[name], share) for name in ("change", *PARTS)]
        note = "" if pd.isna(row["note"]) else str(row["note"])
        lines.append("| " + " | ".join([row["ward_id"], row["headline"], *levels, *differences, note]) + " |")
    return dg.MetadataValue.md("\n".join(lines))


def _level(value: float, share: bool) -> str:
    return "" if pd.isna(value) else f"{value:.1%}" if share else f"{value:.1f}"


def _difference(value: float, share: bool) -> str:
    return "" if pd.isna(value) else points(value if share else value / 100)
