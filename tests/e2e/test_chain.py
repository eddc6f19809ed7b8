"""The whole chain through Dagster, in processes of its own, as people run it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import duckdb
import pandas as pd
import pytest

from kaizar_pipeline.orchestration.storage import Warehouse
from kaizar_pipeline.tables import TABLES

pytestmark = pytest.mark.e2e

AS_OF = "2026-05-04"
EMPTY = {"patient_rejects", "scenario_comparison", "occupancy_backtest", "occupancy_scores", "forecast_log_scores"}
"""Nothing to reject, no scenario about the tiny hospitals, too few days to back-test the census, and no morning before
this one."""


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAIZAR_", "DAGSTER_"))}
    own = {
        "KAIZAR_HOME": str(home),
        "DAGSTER_HOME": str(home / ".dagster"),
        "KAIZAR_AS_OF": AS_OF,
        "PYTHONWARNINGS": "",
    }
    return kept | own | more


def materialize(home: Path, hospital: str, **more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "kaizar_pipeline.definitions"]
    return subprocess.Popen(
        [*command, "--select", "*", "--partition", hospital],
        cwd=home, env=environment(home, **more), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]") -> None:
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output[-3000:]


def tables(home: Path, hospital: str) -> dict[str, pd.DataFrame]:
    warehouse = Warehouse(home / "data")
    return {name: warehouse.read(name, hospital) for name in TABLES}


def kaizar(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "kaizar_pipeline", *words],
        cwd=home, env=environment(home), text=True, capture_output=True, timeout=240,
    )  # fmt: skip


def test_a_hospital_runs_and_runs_again_to_the_same_rows(make_home: Callable[..., Path]):
    home = make_home("one")
    finish(materialize(home, "one"))
    before = tables(home, "one")
    assert {name for name, frame in before.items() if len(frame)} == set(TABLES) - EMPTY
    assert all((frame["as_of"] == pd.Timestamp(AS_OF)).all() for frame in before.values())
    finish(materialize(home, "one"))
    for name, frame in tables(home, "one").items():
        pd.testing.assert_frame_equal(frame, before[name], check_exact=True)

    # a new file is a new partition at the next command
    make_home("two")
    finished = kaizar(home, "run", "two")
    assert finished.returncode == 0, finished.stderr
    assert "cover demand on 9 days in 10" in finished.stdout
    with duckdb.connect(str(home / "data" / "kaizar.duckdb"), read_only=True) as connection:
        found = connection.sql("SELECT DISTINCT hospital_id FROM occupancy_distributions ORDER BY 1").fetchall()
    assert found == [("one",), ("two",)]

    # a broken file gives one message, and the last good tables stay
    (home / "hospital_configs" / "one.yml").write_text("hospital: {name: One}\nward: []\n")
    finished = kaizar(home, "run", "one")
    assert finished.returncode == 1
    assert "hospital_configs/one.yml:2" in finished.stderr
    assert "Traceback" not in finished.stderr
    for name, frame in tables(home, "one").items():
        pd.testing.assert_frame_equal(frame, before[name], check_exact=True)


def test_eight_hospitals_at_once(make_home: Callable[..., Path]):
    names = [f"h{number}" for number in range(8)]
    home = make_home(*names)
    # Dagster's own race: eight first runs would all make its database; one command before them makes it once
    subprocess.run([sys.executable, "-m", "dagster", "instance", "info"], cwd=home, env=environment(home), check=True)
    for process in [materialize(home, name) for name in names]:
        finish(process)
    assert all(len(tables(home, name)["occupancy_distributions"]) == 3 * 7 * 24 for name in names)


def test_a_killed_run_leaves_every_table_whole(make_home: Callable[..., Path]):
    home = make_home("one")
    finish(materialize(home, "one"))
    before = tables(home, "one")
    process = materialize(home, "one", KAIZAR_AS_OF="2026-05-05")
    model = Warehouse(home / "data").path("daily_arrivals", "one")
    old = model.stat().st_mtime_ns
    deadline = time.monotonic() + 120
    while model.stat().st_mtime_ns == old and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    for name, frame in tables(home, "one").items():
        assert frame["as_of"].nunique() <= 1
        assert frame.empty or frame["as_of"].iloc[0] in (pd.Timestamp(AS_OF), pd.Timestamp("2026-05-05"))
        if len(frame) and frame["as_of"].iloc[0] == pd.Timestamp(AS_OF):
            pd.testing.assert_frame_equal(frame, before[name], check_exact=True)
    finish(materialize(home, "one", KAIZAR_AS_OF="2026-05-05"))
    assert all((frame["as_of"] == pd.Timestamp("2026-05-05")).all() for frame in tables(home, "one").values())


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
        assert len(node["assetNodes"]) == len(TABLES)
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


def test_ctrl_c_ends_kaizar_run_with_no_table_half_made(make_home: Callable[..., Path]):
    home = make_home("tiny")
    file = home / "hospital_configs" / "tiny.yml"
    file.write_text(file.read_text().replace("replications: 10", "replications: 100000"))
    command = [sys.executable, "-m", "kaizar_pipeline", "run", "tiny"]
    with subprocess.Popen(
        command, cwd=home, env=environment(home), text=True, stderr=subprocess.PIPE, start_new_session=True
    ) as run:
        assert run.stderr is not None
        said: list[str] = []
        while not said or (said[-1] and "simulated 10000 of 100000" not in said[-1]):
            said.append(run.stderr.readline())
        assert said[-1], said
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does, to all of them
        try:
            run.communicate(timeout=30)
        finally:
            run.kill()
    assert run.returncode == 130
    warehouse = Warehouse(home / "data")
    assert warehouse.path("arrival_rates", "tiny").exists()
    assert not warehouse.path("occupancy_distributions", "tiny").exists()
