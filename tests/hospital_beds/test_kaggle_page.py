"""docs/how_to/kaggle.md is correct: its code runs, and its table has the columns that are read."""

import re
from pathlib import Path
from typing import Any

import pytest

from kaizar_pipeline.hospital_beds.form_files import FORM_FILES

pytestmark = pytest.mark.integration


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs" / "how_to" / "kaggle.md").read_text(encoding="utf-8")


def test_its_code_runs_in_an_empty_folder(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "docs/how_to/kaggle.md", "exec"), names)
    days = names["tables"]["ward_days"]
    assert set(days["ward_id"]) == {"emergency", "surgery", "general_medicine", "icu", "_hospital"}
    assert days["date"].nunique() == 28


def test_its_table_has_the_columns_that_are_read(page: str):
    rows = re.findall(r"^\| `(\w+\.csv)`[^|]*\| ([^|]*) \|", page, re.MULTILINE)
    assert rows == [(form.name, ", ".join(form.columns)) for form in FORM_FILES]
