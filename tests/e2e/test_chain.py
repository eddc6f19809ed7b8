"""The whole chain through Dagster, in processes of its own, as people run it."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import duckdb
import pandas as pd
import pytest

from kaizar_pipeline.orchestration.input_files import FILE_ASSETS
from kaizar_pipeline.orchestration.storage import Warehouse
from kaizar_pipeline.tables import TABLES

pytestmark = pytest.mark.e2e

AS_OF = "2026-05-04"
EMPTY = {
    "patient_rejects", "scenario_comparison", "occupancy_backtest", "occupancy_scores", "full_backtest", "full_scores",
    "forecast_log_scores", "level_risk",
}  # fmt: skip
"""Nothing to reject, no scenario for the tiny hospitals, too few days to back-test the census, no earlier origin, no
levels."""


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAIZAR_", "DAGSTER_"))}
    return kept | {"KAIZAR_HOME": str(home), "KAIZAR_AS_OF": AS_OF, "PYTHONWARNINGS": ""} | more


def start(home: Path, *words: str, **more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=home, env=environment(home, **more), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]", status: int = 0) -> tuple[str, str]:
    output, errors = process.communicate(timeout=240)
    assert process.returncode == status, errors[-3000:]
    assert "Traceback" not in errors
    return output, errors


def tables(home: Path, hospital: str) -> dict[str, pd.DataFrame]:
    warehouse = Warehouse(home / "data")
    return {name: warehouse.read(name, hospital) for name in TABLES}


def stored_runs(home: Path) -> list[str]:
    with closing(sqlite3.connect(home / ".dagster" / "history" / "runs.db")) as connection:
        return [status for (status,) in connection.execute("SELECT status FROM runs ORDER BY id")]


def test_a_new_project_runs_and_runs_again_to_the_same_rows(make_home: Callable[..., Path]):
    home = make_home("one", "two")
    command = ["kaizar_pipeline", "run"]
    both = [start(home, *command, "one"), start(home, *command, "two", "--select", "+occupancy_distributions")]
    output, errors = zip(*(finish(process) for process in both), strict=True)
    assert "cover demand on 9 days in 10" in output[0]
    assert "Warning" not in "".join(errors)
    before = tables(home, "one")
    assert {name for name, frame in before.items() if len(frame)} == set(TABLES) - EMPTY
    assert all((frame["as_of"] == pd.Timestamp(AS_OF)).all() for frame in before.values())
    with duckdb.connect(str(home / "data" / "kaizar.duckdb"), read_only=True) as connection:
        found = connection.sql("SELECT DISTINCT hospital_id FROM occupancy_distributions ORDER BY 1").fetchall()
    assert found == [("one",), ("two",)]

    # by hand: without any variable of Dagster's, quiet, into the same storage
    command = ["dagster", "asset", "materialize", "-m", "kaizar_pipeline.definitions", "--select", "*"]
    _, errors = finish(start(home, *command, "--partition", "one"))
    assert " - DEBUG - " not in errors
    assert stored_runs(home) == ["SUCCESS"] * 3
    for name, frame in tables(home, "one").items():
        pd.testing.assert_frame_equal(frame, before[name], check_exact=True)

    # an error in a file is one message, the last good tables stay, the next hospital runs; DAGSTER_HOME is respected
    (home / "hospital_configs" / "one.yml").write_text("hospital: {name: One}\nward: []\n")
    command = ["kaizar_pipeline", "run", "--all", "--as-of", "2026-05-05", "--select", "patients"]
    _, errors = finish(start(home, *command, DAGSTER_HOME=str(home / "elsewhere")), status=1)
    assert "hospital_configs/one.yml:2" in errors
    assert "two: done" in errors
    assert len(stored_runs(home)) == 3
    assert (home / "elsewhere").is_dir()
    for name, frame in tables(home, "one").items():
        pd.testing.assert_frame_equal(frame, before[name], check_exact=True)
    assert Warehouse(home / "data").lineage("patients", "two").as_of == pd.Timestamp("2026-05-05")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_a_run_at_once_with_every_table_whole(make_home: Callable[..., Path], number: signal.Signals):
    home = make_home("tiny")
    file = home / "hospital_configs" / "tiny.yml"
    file.write_text(file.read_text().replace("replications: 10", "replications: 50000"))
    with start(home, "kaizar_pipeline", "run", "tiny", "--select", "+occupancy_distributions") as run:
        assert run.stderr is not None
        lines = iter(run.stderr.readline, "")
        assert any("5000 of 50000 replications done" in line for line in lines)
        run.send_signal(number)
        status = run.wait(timeout=60)
    warehouse = Warehouse(home / "data")
    with warehouse.lock("tiny"):
        assert warehouse.path("arrival_rates", "tiny").exists()
        assert not warehouse.path("occupancy_distributions", "tiny").exists()
    if number == signal.SIGTERM:
        assert (status, stored_runs(home)) == (143, ["CANCELED"])


def test_a_run_launched_through_the_user_interface(make_home: Callable[..., Path]):
    home = make_home("one")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "kaizar_pipeline", "dev", "--port", str(port)]
    with (home / "dev.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=home, env=environment(home), stdout=log, stderr=log, start_new_session=True
        )

    def ask(query: str, **variables: object) -> dict:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def until(what: Callable[[], object], seconds: float) -> object:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if found := what():
                    return found
            except (URLError, ConnectionError, TimeoutError, KeyError):
                pass  # the server is still coming up
            time.sleep(0.5)
        raise AssertionError((home / "dev.log").read_text()[-3000:])

    try:
        repositories = (
            "{repositoriesOrError {... on RepositoryConnection {nodes {name location {name} assetNodes {id}}}}}"
        )
        found = until(lambda: ask(repositories)["repositoriesOrError"]["nodes"], 120)
        (node,) = found  # type: ignore[misc]
        assert len(node["assetNodes"]) == len(TABLES) - 1 + len(FILE_ASSETS)  # check_results has none
        launch = """mutation($params: ExecutionParams!) {launchPipelineExecution(executionParams: $params)
                    {__typename ... on LaunchRunSuccess {run {runId}}}}"""
        params = {
            "selector": {
                "repositoryLocationName": node["location"]["name"],
                "repositoryName": node["name"],
                "pipelineName": "occupancy_forecast",
            },
            "runConfigData": {},
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "one"}]},
        }
        launched = ask(launch, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        status = "query($id: ID!) {runOrError(runId: $id) {... on Run {status}}}"

        def ended() -> str | None:
            now = ask(status, id=launched["run"]["runId"])["runOrError"]["status"]
            return now if now in ("SUCCESS", "FAILURE", "CANCELED") else None

        assert until(ended, 180) == "SUCCESS"
        assert len(tables(home, "one")["daily_peaks"]) > 0
    finally:
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
