"""Writes a table in a child process that is killed when the write passes a named point; driven by test_storage.py.

Standard input: one line for each write, a JSON list of folder, point and path of a pickled (asset, hospital, frame,
lineage). Standard output: for each the name of the signal that ended the child, or its exit status.
"""

import json
import os
import pickle
import signal
import sys
from pathlib import Path

from kaizar_pipeline.orchestration.storage import Warehouse


def _write_until(folder: str, point: str, table: str) -> None:
    def die_there(step: str) -> None:
        if step == point:
            os.kill(os.getpid(), signal.SIGKILL)

    asset, hospital_id, frame, lineage = pickle.loads(Path(table).read_bytes())
    Warehouse(Path(folder), on_step=die_there).write(asset, hospital_id, frame, lineage)


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        _write_until(*json.loads(line))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    ending = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    sys.stdout.write(f"{ending}\n")
    sys.stdout.flush()
