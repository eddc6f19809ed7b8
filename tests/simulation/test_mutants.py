"""The random hospitals detect every broken rule of mutants.py."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def test_every_broken_rule_is_detected() -> None:
    script = Path(__file__).parents[1] / "support" / "mutants.py"
    # in a process of its own, where numba compiles nothing
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
