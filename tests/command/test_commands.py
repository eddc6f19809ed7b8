"""The `kaizar` command: its messages and exit status."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kaizar_pipeline.command.app import app
from kaizar_pipeline.command.project_files import PROJECT_FILES, SAMPLE_SCENARIOS
from kaizar_pipeline.command.runs import LONGEST_PATH
from kaizar_pipeline.verification.models import cases

pytestmark = pytest.mark.unit

COMMANDS = ["check", "compare", "dev", "draft", "init", "report", "run", "schema", "show", "validate"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as `kaizar init` makes it, and the current folder."""
    monkeypatch.delenv("KAIZAR_HOME", raising=False)
    home = tmp_path / "project"
    assert kaizar("init", str(home)).exit_code == 0
    monkeypatch.chdir(home)
    return home


def kaizar(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("words", [(), *((command,) for command in COMMANDS)])
def test_every_command_has_help(words: tuple[str, ...]):
    result = kaizar(*words, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_init_writes_a_project_without_errors(home: Path, repository: Path):
    assert {str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()} == set(PROJECT_FILES)
    result = kaizar("check")
    assert result.exit_code == 0
    assert result.stdout.startswith("hospital_1.yml: ok, ")
    scenarios = (repository / "hospital_configs" / "scenarios").glob("*")
    shipped = {file.stem for file in scenarios if "hospitals: [kaggle]" not in file.read_text(encoding="utf-8")}
    assert shipped == set(SAMPLE_SCENARIOS)
    assert result.stdout.count(".yml: ok, applies to hospital_1\n") == len(shipped)


def test_init_overwrites_nothing(home: Path):
    (home / "hospital_configs" / "hospital_1.yml").write_text("mine", encoding="utf-8")
    result = kaizar("init", str(home))
    assert result.exit_code == 1
    assert "hospital_configs/hospital_1.yml" in result.stderr
    assert (home / "hospital_configs" / "hospital_1.yml").read_text(encoding="utf-8") == "mine"


def test_init_keeps_other_files(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert kaizar("init", str(tmp_path)).exit_code == 0
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_check_reports_every_error_of_every_file(home: Path):
    configs = home / "hospital_configs"
    (configs / "broken.yml").write_text("wards: 3\n", encoding="utf-8")
    (configs / "No Id.yml").write_text((configs / "hospital_1.yml").read_text(encoding="utf-8"), encoding="utf-8")
    result = kaizar("check")
    assert result.exit_code == 1
    assert "hospital_configs/broken.yml:1: wards: found 3, allowed: a list\n" in result.stderr
    assert "hospital_configs/No Id.yml:1: the file's name is the hospital's id" in result.stderr
    assert "hospital_1.yml: ok" in result.stdout
    assert kaizar("check", str(configs / "hospital_1.yml")).exit_code == 0


def test_check_without_hospitals_names_the_remedy(home: Path):
    (home / "hospital_configs" / "hospital_1.yml").unlink()
    result = kaizar("check")
    assert result.exit_code == 1
    assert "add a file ID.yml there" in result.stderr


def test_check_applies_scenarios_to_their_hospitals(home: Path):
    scenario = home / "hospital_configs" / "scenarios" / "mine.yml"
    scenario.write_text("description: Mine\nhospitals: [hospital_1]\nwards: [{id: medcal}]\n", encoding="utf-8")
    (scenario.parent / "Not Mine.yml").touch()
    for words in (("check",), ("check", str(scenario))):
        result = kaizar(*words)
        assert result.exit_code == 1
        fault = "hospital_configs/scenarios/mine.yml:3: wards[0].id: unknown ward 'medcal', did you mean 'medical'?"
        assert fault in result.stderr
    assert "scenarios/Not Mine.yml:1: the file's name is the scenario's id" in kaizar("check").stderr
    scenario.write_text("description: Mine\nlos_scale: [{factor: 2}]\n", encoding="utf-8")
    assert kaizar("check", str(scenario)).stdout == "scenarios/mine.yml: ok, applies to hospital_1\n"


def test_schemas_are_printed_or_written(home: Path):
    paths = [home / "hospital_configs" / f"{kind}.schema.json" for kind in ("hospital", "scenario")]
    committed = [path.read_text(encoding="utf-8") for path in paths]
    printed = kaizar("schema")
    assert json.loads(printed.stdout)["title"] == "HospitalFile"
    for path in paths:
        path.write_text("{}", encoding="utf-8")
    assert kaizar("schema", "--write").exit_code == 0
    assert [path.read_text(encoding="utf-8") for path in paths] == committed
    assert committed[0] == printed.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compare", "hospital_2"), "unknown hospital 'hospital_2', did you mean 'hospital_1'?"),
        (("compare", "hospital_1", "--scenario", "winter"), "unknown scenario 'winter', did you mean 'winter_peak'?"),
        (("compare", "hospital_1"), "no stored tables to start from; make them first: kaizar run hospital_1"),
    ],
)
def test_compare_refuses(home: Path, words: tuple[str, ...], message: str):
    result = kaizar(*words)
    assert result.exit_code == 1
    assert message in result.stderr


def test_compare_without_scenarios_names_the_remedy(home: Path):
    for path in (home / "hospital_configs" / "scenarios").glob("*"):
        path.unlink()
    assert (
        "no scenario applies to hospital_1: add hospital_configs/scenarios/NAME.yml"
        in kaizar("compare", "hospital_1").stderr
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run",), "--all"),
        (("run", "hospital_1", "--all"), "--all"),
        (("run", "hospital_1", "hospital_l"), "unknown hospital 'hospital_l', did you mean 'hospital_1'?"),
        (("run", "hospital_1", "--as-of", "2026-13-01"), "--as-of: '2026-13-01' is neither a date nor a date and full"),
        (("run", "hospital_1", "--as-of", "2026-11-01T08:30"), "--as-of: 2026-11-01T08:30 is not a full hour"),
        (("run", "hospital_1", "--snapshot", "8"), "snapshot: found '8', allowed: a full hour of the day"),
    ],
)
def test_run_refuses_before_anything_starts(home: Path, words: tuple[str, ...], message: str):
    result = kaizar(*words)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (home / "data").exists()


def test_validate_prints_the_comparison_and_writes_the_page(home: Path, monkeypatch: pytest.MonkeyPatch):
    few = [replace(case, replications=min(case.replications, 2)) for case in cases() if "patients in bed" in case.model]
    monkeypatch.setattr("kaizar_pipeline.verification.models.cases", lambda: few)
    assert kaizar("validate").exit_code == 0
    assert not (home / "docs" / "reference" / "validation.md").exists()
    result = kaizar("validate", "--runs", "10", "--write")
    assert result.exit_code == 0
    assert "6.428242" in result.stdout
    page = (home / "docs" / "reference" / "validation.md").read_text(encoding="utf-8")
    assert "| in bed after 3 days | 6.428242 |" in page
    assert "run 10 times" in page


def test_validate_fails_where_theory_differs(monkeypatch: pytest.MonkeyPatch):
    few = [case for case in cases() if "patients in bed" in case.model or case.replications == 0]
    wrong = [replace(quantity, theory=quantity.theory + 0.5) for quantity in few[-1].quantities]
    few = [replace(few[0], replications=2), replace(few[-1], quantities=tuple(wrong))]
    monkeypatch.setattr("kaizar_pipeline.verification.models.cases", lambda: few)
    result = kaizar("validate", "--runs", "10")
    assert result.exit_code == 1
    assert "inf" in result.stdout


def test_outside_a_project_every_command_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KAIZAR_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    for words in (
        ("check",),
        ("run", "--all"),
        ("compare", "x"),
        ("schema", "--write"),
        ("validate", "--write"),
        ("dev",),
    ):
        result = kaizar(*words)
        assert result.exit_code == 1
        assert "kaizar init FOLDER" in result.stderr


def test_verbose_shows_tracebacks(home: Path):
    with pytest.raises(Exception, match="unknown hospital"):
        CliRunner().invoke(app, ["run", "--verbose", "nowhere"], catch_exceptions=False)


def test_a_project_without_hospitals_has_nothing_to_run(home: Path):
    (home / "hospital_configs" / "hospital_1.yml").unlink()
    result = kaizar("run", "--all")
    assert result.exit_code == 1
    assert "no hospital in" in result.stderr


@pytest.mark.parametrize(("option", "value"), [("--seed", "-1"), ("--replications", "1"), ("--backtest-origins", "-1")])
def test_a_number_out_of_range_is_reported_with_its_option(option: str, value: str):
    result = kaizar("run", "hospital_1", option, value)
    assert result.exit_code == 2
    assert f"'{option}'" in result.stderr


def test_help_imports_neither_pandas_nor_dagster():
    """Both take more than a second."""
    code = "import sys, kaizar_pipeline.command.app; sys.exit('pandas' in sys.modules or 'dagster' in sys.modules)"
    assert subprocess.call([sys.executable, "-c", code]) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_process_whatever_its_threads_do(tmp_path: Path, number: signal.Signals):
    code = """
import os, sys, threading, time
from pathlib import Path
from kaizar_pipeline.command.signals import ended_by_signals
data = Path(sys.argv[1])
with ended_by_signals(data):
    (data / f"data.duckdb.{os.getpid()}.tmp").touch()
    (data / "data.duckdb.1.tmp").touch()
    threading.Thread(target=time.sleep, args=[60]).start()
    print("ready", flush=True)
    threading.Event().wait()
"""
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, number)
        assert process.wait(timeout=20) == 128 + number
    assert [path.name for path in tmp_path.iterdir()] == ["data.duckdb.1.tmp"]  # of another process


DEV = """
import os, sys
become = os.execve
waits = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
os.execve = lambda program, command, environment: become(program, waits, environment)  # in place of Dagster
from kaizar_pipeline.command.app import app
app(["dev", "--port", sys.argv[1]])
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_second_dev_is_refused_until_the_first_one_ends(home: Path):
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", DEV, str(port)], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert first.stdout.readline() == "up\n"
        second = kaizar("dev", "--port", str(free_port()))
        with (home / ".dagster" / "dev.lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        first.kill()
    assert second.exit_code == 1
    assert second.stderr.startswith(
        f"`kaizar dev` is up already for the history of runs in {home}: http://127.0.0.1:{port}, "
        f"process {first.pid}. Use that one or stop it first"
    )
    with (home / ".dagster" / "dev.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("command", ["run", "dev"])
def test_a_storage_that_cannot_be_used_is_one_message(home: Path, command: str):
    words = ["run", "hospital_1"] if command == "run" else ["dev", "--port", str(free_port())]
    (home / ".dagster" / "history").mkdir(parents=True)
    (home / ".dagster" / "history" / "runs.db").write_bytes(b"not a database" * 1000)
    refused = subprocess.run(
        [sys.executable, "-m", "kaizar_pipeline", *words], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert refused.stderr.endswith("away to start a new history of runs (the tables in data/ stay)\n")
    assert refused.stderr.count("\n") == 1


def test_a_data_folder_that_cannot_be_written_is_one_message(home: Path):
    (home / "data").touch()
    refused = subprocess.run(
        [sys.executable, "-m", "kaizar_pipeline", "run", "hospital_1"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"{home}/data/warehouse/.locks/catalog.lock: cannot be written (")
    assert refused.stderr.endswith("; move away what stands in its place\n")
    assert refused.stderr.count("\n") == 1


def test_a_path_too_long_for_the_storage_is_refused_at_the_start(home: Path, monkeypatch: pytest.MonkeyPatch):
    longest = home
    while len(str(longest)) < LONGEST_PATH:
        longest /= "x" * min(100, LONGEST_PATH - len(str(longest)) - 1)
    monkeypatch.setenv("DAGSTER_HOME", f"{longest}é")
    for words in (("run", "hospital_1"), ("dev",)):
        result = kaizar(*words)
        assert result.exit_code == 1
        assert (
            f"a path of {LONGEST_PATH + 2} bytes, allowed for Dagster's storage: {LONGEST_PATH}; move" in result.stderr
        )
    assert not (home / "data").exists()

    monkeypatch.setenv("DAGSTER_HOME", str(longest))
    code = """
import logging, sys
import dagster
from kaizar_pipeline.orchestration.run import open_instance
logging.disable()
@dagster.asset
def nothing(): pass
with open_instance() as instance:
    sys.exit(not dagster.materialize([nothing], instance=instance).success)
"""
    longest.mkdir(parents=True)
    (longest / "dagster.yaml").write_text(
        (home / "dagster.yaml").read_text().replace(".dagster", f"{longest}/.dagster")
    )
    assert subprocess.call([sys.executable, "-c", code], cwd=longest) == 0


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = kaizar("dev", "--port", str(port))
    assert result.exit_code == 1
    assert f"--port: {port} cannot be used" in result.stderr
