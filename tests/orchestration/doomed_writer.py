"""Writes tables in child processes that are killed or interrupted on the way; driven by test_interruptions.py.

Standard input: one line for each write, a JSON list of the data folder, the path of a pickled (asset, hospital, frame,
lineage), the signal that ends it, and when: before a file-system call of that number, after so many seconds, or both
null for never. Standard output: killed, interrupted or finished. The arguments are the tables that there are.
"""

import json
import os
import pickle
import signal
import sys
import time
from pathlib import Path

from kaizar_pipeline.orchestration.storage import Warehouse
from kaizar_pipeline.tables import TABLES

CALLS = {"open", "os.rename", "os.remove", "os.mkdir", "fcntl.flock", "pathlib.Path.glob", "duckdb.connect"}
"""Names of the audit events that are counted; Python raises one before each such call."""


def _write(folder: str, task: str, name: str, call: int | None) -> None:
    asset, hospital_id, frame, lineage = pickle.loads(Path(task).read_bytes())
    warehouse = Warehouse(Path(folder))
    calls = iter(range(1_000_000))

    def count(event: str, arguments: tuple[object, ...]) -> None:
        if event in CALLS and next(calls) == call:
            os.kill(os.getpid(), signal.Signals[name])

    sys.addaudithook(count)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with warehouse.lock(hospital_id):
            warehouse.write(asset, hospital_id, frame, lineage)
    except (KeyboardInterrupt, RuntimeError):  # DuckDB makes a RuntimeError of it
        os._exit(1)
    os._exit(0)


for other in TABLES.keys() - set(sys.argv[1:]):
    del TABLES[other]

for line in sys.stdin:
    folder, task, name, call, seconds = json.loads(line)
    child = os.fork()
    if child == 0:
        _write(folder, task, name, call)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.Signals[name])
    _, status = os.waitpid(child, 0)
    ending = "killed" if os.WIFSIGNALED(status) else ("finished", "interrupted")[os.WEXITSTATUS(status)]
    sys.stdout.write(f"{ending}\n")
    sys.stdout.flush()
