"""The sources of the notebooks: each makes two notebooks without outputs, whose code uses only what it defines."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat import NotebookNode

from notebooks.build import FOLDER, VARIANTS, Book, Variant, by_turn, chosen, made, main, sources

pytestmark = pytest.mark.unit

BOOKS = [Book(path, variant) for path in sources() for variant in VARIANTS]
OLD = (3, 7)
"""The first cells are read by a Python as old as this, so that it can say that it is too old."""


def code(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("book", BOOKS, ids=str)
def test_each_source_makes_a_notebook_of_a_title_code_and_nothing_else(book: Book):
    notebook = made(book)
    title = notebook.cells[0]
    assert title.cell_type == "markdown"
    assert re.match(r"# \w.*\n\n\w", title.source), "a title, and a paragraph of what the notebook answers"
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 4)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert cell.metadata == {}
    assert len(code(notebook)) > 2
    for cell in code(notebook):
        ast.parse(cell)


@pytest.mark.parametrize("book", BOOKS, ids=str)
def test_code_uses_only_names_that_it_defines_and_imports_none_in_vain(book: Book):
    ruff = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "F",
        "--quiet",
        "--output-format=concise",
        "-",
    ]
    ran = subprocess.run(ruff, input="\n".join(code(made(book))), capture_output=True, text=True)
    assert ran.stdout == ""


@pytest.mark.parametrize("book", [book for book in BOOKS if book.variant == "kaggle"], ids=str)
def test_one_variable_names_the_folder_of_kaggle(book: Book):
    assignments = [line for cell in code(made(book)) for line in cell.splitlines() if "/kaggle/" in line]
    assert assignments == ['FOLDER = "/kaggle/input/hospital-beds-management"']


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_old_python_can_read_the_first_cells(variant: Variant):
    ast.parse((FOLDER / f"first_cells_{variant}.py").read_text(), feature_version=OLD)


def test_a_cell_with_a_tag_is_in_that_variant_alone(tmp_path: Path):
    source = tmp_path / "01_tiny.py"
    source.write_text(
        "# %% [markdown]\n# # Tiny\n\n# %% tags=['kaggle']\nhere = 1\n\n"
        "# %% tags=['repository']\nthere = 2\n\n# %%\n3\n"
    )
    assert code(made(Book(source, "kaggle")))[-2:] == ["here = 1", "3"]
    assert code(made(Book(source, "repository")))[-2:] == ["there = 2", "3"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# %%\n1\n", "01_tiny.py: the first cell is not a title"),
        (
            "# %% [markdown]\n# # Tiny\n\n# %% tags=['kagle']\n1\n",
            "01_tiny.py: unknown tag 'kagle', allowed: repository, kaggle",
        ),
    ],
)
def test_a_source_with_an_error_is_named(tmp_path: Path, text: str, message: str):
    source = tmp_path / "01_tiny.py"
    source.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        made(Book(source, "kaggle"))


def test_names_choose_notebooks_and_an_unknown_name_is_answered(capsys: pytest.CaptureFixture[str]):
    assert [str(book) for book in chosen(["01"], ["kaggle"])] == ["kaggle/01_quickscan.ipynb"]
    assert len(chosen([], VARIANTS)) == 2 * len(sources())
    with pytest.raises(SystemExit):
        main(["99"])
    assert "no notebook begins with '99', allowed: 01_quickscan" in capsys.readouterr().err


def test_after_as_many_commits_as_sources_every_notebook_had_its_turn():
    turns = [book for number in range(100, 100 + len(sources())) for book in by_turn(number)]
    assert set(turns) == set(BOOKS)
