"""docs/how_to/extend.md is correct: its blocks, applied to a copy of the package, are a table with a picture."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from own_extract import own_extract

pytestmark = pytest.mark.integration

SCRIPT = """
import json
from dagster import AssetKey
from kaizar_pipeline.definitions import defs
from kaizar_pipeline.orchestration.storage import Warehouse
from kaizar_pipeline.chain.steps import all_tables
from pathlib import Path

names = ["patients", "patient_rejects", "ward_stays", "daily_arrivals", "weekday_arrivals"]
run = defs.resolve_implicit_global_asset_job_def().execute_in_process(
    partition_key="mine", asset_selection=[AssetKey(name) for name in names],
)
(made,) = run.asset_materializations_for_node("weekday_arrivals")
stored = Warehouse(Path("data"), tables=all_tables()).read("weekday_arrivals", "mine")
days = Warehouse(Path("data")).read("daily_arrivals", "mine").sort_values("date").tail(4 * 56)
print(json.dumps({
    "rows": len(stored), "metadata": list(made.metadata), "mean": stored["mean_arrivals"].mean(),
    "of last days": days["arrivals"].mean(),
}))
"""


def applied(block: str, package: Path) -> None:
    """Put a block where its first line says."""
    where, text = block.split("\n", 1)
    found = re.fullmatch(r'# kaizar_pipeline/(\S+\.py), (?:at the end|below "?(.+?)"?)', where)
    assert found, where
    file = package / found[1]
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    anchors = [number for number, line in enumerate(lines) if found[2] and found[2] in line]
    assert len(anchors) == (found[2] is not None), where
    lines.insert(anchors[0] + 1 if anchors else len(lines), text)
    file.write_text("".join(lines), encoding="utf-8")


def test_the_worked_example_makes_a_table_with_a_picture(
    repository: Path, make_home: Callable[..., Path], tmp_path: Path
):
    page = (repository / "docs" / "how_to" / "extend.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    package = tmp_path / "changed" / "kaizar_pipeline"
    shutil.copytree(repository / "kaizar_pipeline", package, ignore=shutil.ignore_patterns("__pycache__"))
    for block in blocks:
        applied(block, package)
    home = own_extract(make_home(), repository)
    environment = os.environ | {"PYTHONPATH": str(package.parent), "KAIZAR_HOME": str(home)}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    made = json.loads(done.stdout.splitlines()[-1])
    assert made["rows"] == 4 * 7
    assert "picture" in made["metadata"]
    assert made["mean"] == pytest.approx(made["of last days"])
