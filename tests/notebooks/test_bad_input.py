"""What a notebook says where something is wrong: a sentence that says what to do, and no traceback."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from kaizar_pipeline import make_hospital_beds
from notebooks.build import FOLDER, Book, Variant, execute, made, shown

pytestmark = pytest.mark.integration

OLD_PYTHON = "import sys\nsys.version_info = (3, 9, 1, 'final', 0)"
NOT_INSTALLED = "import sys\nsys.modules['kaizar_pipeline'] = None"


def first_cells(variant: Variant, *before: str, after: str = "", folder: Path | None = None) -> NotebookNode:
    """The first cells of a variant between other cells; `folder` replaces that of Kaggle."""
    source = FOLDER / "01_quickscan.py"
    opening = (FOLDER / f"first_cells_{variant}.py").read_text().count("# %%\n")
    code = [cell.source for cell in made(Book(source, variant)).cells if cell.cell_type == "code"][:opening]
    if folder is not None:
        code = [re.sub('FOLDER = "/kaggle.*"', f"FOLDER = {str(folder)!r}", cell) for cell in code]
    cells = [new_code_cell(cell) for cell in (*before, *code, *([after] if after else []))]
    for cell in cells:
        cell.pop("id")
    return new_notebook(cells=cells, nbformat_minor=4)


def chosen_ward(name: str) -> str:
    """The cell of a notebook for Kaggle that chooses the ward."""
    cells = made(Book(FOLDER / f"{name}.py", "kaggle")).cells
    return next(cell.source for cell in cells if cell.source.startswith("ward = "))


@pytest.fixture
def said(tmp_path: Path) -> Callable[[NotebookNode], str]:
    """What a notebook shows when it runs in an empty folder; it stops where it says so."""

    def run(notebook: NotebookNode, stops: bool = True, folder: Path = tmp_path) -> str:
        if stops:
            with pytest.raises(CellExecutionError):
                execute(notebook, folder)
        else:
            execute(notebook, folder)
        text = " ".join(shown(notebook).split())
        assert "Traceback" not in text
        assert ".py" not in text
        return text

    return run


@pytest.mark.parametrize(
    ("variant", "sentence"),
    [
        (
            "repository",
            "needs Python 3.11 or later, this kernel is Python 3.9: run `make setup` in the repository, then",
        ),
        ("kaggle", "needs Python 3.11 or later, this kernel is Python 3.9: choose a newer environment in the settings"),
    ],
)
def test_an_old_python(said: Callable[..., str], variant: Variant, sentence: str):
    assert sentence in said(first_cells(variant, OLD_PYTHON))


def test_the_package_is_not_installed_in_the_repository(said: Callable[..., str]):
    found = said(first_cells("repository", NOT_INSTALLED))
    assert "kaizar_pipeline is not installed in this kernel: run `make setup`" in found


def test_no_network_and_no_wheel(said: Callable[..., str]):
    no_network = (
        "import os\nos.environ |= {'PIP_NO_INDEX': '1', 'PIP_IGNORE_INSTALLED': '1', 'PIP_CONFIG_FILE': os.devnull}"
    )
    found = said(first_cells("kaggle", NOT_INSTALLED, no_network))
    assert "pip could not install kaizar-pipeline: switch on the internet in the settings of the notebook" in found
    assert "put the wheel kaizar_pipeline-*.whl beside this notebook or into FOLDER" in found


def test_a_folder_that_is_not_there_is_replaced_by_a_synthetic_one(said: Callable[..., str], tmp_path: Path):
    found = said(first_cells("kaggle", after="', '.join(config.ward_ids)"), stops=False)
    assert "The folder /kaggle/input/hospital-beds-management is not here: synthetic files" in found
    assert (tmp_path / "hospital_beds" / "patients.csv").is_file()


@pytest.fixture
def form(tmp_path: Path) -> Path:
    """A folder of the form that lies beside the one a notebook runs in."""
    folder = tmp_path / "form"
    make_hospital_beds(folder)
    return folder


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        (["services_weekly.csv"], "services_weekly.csv"),
        (["staff.csv", "staff_schedule.csv"], "staff_schedule.csv"),
    ],
)
def test_files_that_are_missing_are_named(said: Callable[..., str], form: Path, missing: list[str], sentence: str):
    for name in missing:
        (form / name).unlink()
    found = said(first_cells("kaggle", folder=form, after="print(config.id)"), stops=False)
    assert sentence in found
    assert found.endswith("kaggle")


@pytest.mark.parametrize("name", ["02_forecast_to_twin", "04_scenarios"])
def test_notebooks_about_beds_stop_where_nobody_knows_the_beds(said: Callable[..., str], form: Path, name: str):
    (form / "services_weekly.csv").unlink()
    found = said(first_cells("kaggle", folder=form, after=chosen_ward(name)))
    assert "nobody knows how many there are: put a services_weekly.csv with this service into FOLDER" in found


def test_a_folder_without_patients_stops_with_a_sentence(said: Callable[..., str], form: Path):
    (form / "patients.csv").unlink()
    assert "has no patients.csv; required: a folder of the hospital-beds form" in said(
        first_cells("kaggle", folder=form)
    )


def test_other_services_are_wards_of_their_own(said: Callable[..., str], form: Path):
    for name in ("patients.csv", "services_weekly.csv", "staff.csv", "staff_schedule.csv"):
        path = form / name
        path.write_text(path.read_text().replace("general_medicine", "maternity").replace("surgery", "oncology"))
    after = f"{chosen_ward('01_quickscan')}\nprint(config.ward_ids, ward)"
    notebook = first_cells("kaggle", folder=form, after=after)
    found = said(notebook, stops=False)
    assert "maternity" in found
    assert found.endswith("emergency")


def test_a_folder_without_a_project(said: Callable[..., str]):
    before = "import os\nos.environ.pop('KAIZAR_HOME', None)"
    assert "no project here" in said(first_cells("repository", before))


def test_a_project_without_a_single_run(said: Callable[..., str], make_home: Callable[..., Path]):
    home = make_home("tiny")
    scan = (
        "from kaizar_pipeline import load_hospital_config, quickscan\n"
        "tiny = load_hospital_config(home / 'hospital_configs' / 'tiny.yml')\n"
        "print(quickscan(tiny, home=home, as_of='2026-05-04')['ward_id'].iloc[0])"
    )
    assert said(first_cells("repository", after=scan), stops=False, folder=home) == "ed"


def test_errors_of_ours_are_sentences_and_others_keep_their_traceback(said: Callable[..., str], tmp_path: Path):
    ours = (
        "from kaizar_pipeline import Scenario\n"
        "Scenario(id='x y', description='no name', arrival_scale=[{'factor': -1}])"
    )
    found = said(first_cells("kaggle", after=ours))
    assert "Scenario: id: String should match pattern" in found
    assert "found 'x y'" in found
    notebook = first_cells("kaggle", after="1 / 0")
    with pytest.raises(CellExecutionError):
        execute(notebook, tmp_path)
    assert "Traceback" in shown(notebook)
