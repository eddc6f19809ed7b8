"""A step added to the one list is found in the chain in memory, in the graph, on the page of tables and in a run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

SCRIPT = '''
import json, sys
from pathlib import Path
import pandas as pd
from dagster import AssetKey
from kaizar_pipeline.chain.step import Made, Run, Step
from kaizar_pipeline.chain.steps import STEPS, all_tables
from kaizar_pipeline.tables.schema import Column, Table

COMMON = all_tables()["daily_arrivals"].columns[:3]
BUSIEST = Table("busiest_day", "The day with most arrivals.", (*COMMON, Column("date", "DATE", "Which day.")))

def busiest_day(run: Run, daily_arrivals: pd.DataFrame) -> Made:
    """Find the day with most arrivals."""
    row = daily_arrivals.loc[[daily_arrivals["arrivals"].idxmax()], ["hospital_id", "as_of", "date"]]
    return Made({"busiest_day": BUSIEST.frame(row)})

STEPS.append(Step(busiest_day, (BUSIEST,), "patients"))

from kaizar_pipeline import load_hospital_config, run_chain
from kaizar_pipeline.definitions import defs
from kaizar_pipeline.orchestration.storage import Warehouse
from kaizar_pipeline.tables.dictionary import data_dictionary

home = Path(sys.argv[1])
config = load_hospital_config(home / "hospital_configs" / "one.yml")
tables = run_chain(config, home=home, as_of="2026-04-01", tables=["busiest_day"])
keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
job = defs.resolve_implicit_global_asset_job_def()
selection = [AssetKey(name) for name in tables]
run = job.execute_in_process(partition_key="one", asset_selection=selection, run_config={"resources": {"overrides": {
    "config": {"as_of": "2026-04-01"}}}})
stored = Warehouse(home / "data", tables=all_tables()).read("busiest_day", "one")
print(json.dumps({
    "in memory": str(tables["busiest_day"]["date"].iloc[0]),
    "in the graph": "busiest_day" in keys,
    "on the page": "busiest_day" in data_dictionary(all_tables().values()),
    "stored": str(stored["date"].iloc[0]),
    "succeeded": run.success,
}))
'''


def test_one_line_in_the_list_is_all_that_a_new_step_takes(home: Path):
    script = home / "script.py"  # the source of a step is part of its version
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script, str(home)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["in memory"] == found["stored"]
    assert found["in the graph"]
    assert found["on the page"]
    assert found["succeeded"]
