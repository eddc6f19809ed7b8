"""A browser, and a hospital that was run once."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from browsing import CHROMIUM, chromium
from playwright.sync_api import Browser

from kaizar_pipeline import load_hospital_config, run_chain
from kaizar_pipeline.config.hospital import HospitalConfig

from ..conftest import make_project

Report = tuple[HospitalConfig, dict[str, pd.DataFrame]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; tests that need it are skipped where there is none.

    Not for the whole session: while Playwright is open its event loop runs, and other tests could run none.
    """
    if CHROMIUM is None:
        pytest.skip("no Chromium: install the package chromium to look at pages in a browser")
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A tiny hospital and all its tables."""
    folder: Path = make_project(tmp_path_factory.mktemp("project"), "tiny") / "hospital_configs"
    config = load_hospital_config(folder / "tiny.yml")
    return config, run_chain(config, as_of="2026-08-10T08:00", workers=1, backtest_origins=2, backtest_replications=10)
