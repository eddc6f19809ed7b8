"""Dagster's user interface over a project, as a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

SECONDS = 90
"""Longest wait for a page; one takes some 5."""


def own_environment(home: Path) -> dict[str, str]:
    """The environment of commands on the project in `home`, without settings of whoever starts this process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAIZAR_", "DAGSTER_"))}
    own = {"KAIZAR_HOME": str(home), "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    return kept | own | {"PYTHONWARNINGS": "ignore"}


@contextmanager
def dagster_interface(home: Path) -> Iterator[str]:
    """The address of the interface while it is up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-w", "workspace.yaml"]
    with (
        (home / "log").open("w") as log,
        subprocess.Popen(command, cwd=home, env=own_environment(home), stdout=log, stderr=log) as server,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/server_info", home / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(address: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            with urlopen(address, timeout=5):
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)  # it is still coming up
    raise AssertionError(log.read_text()[-3000:])
