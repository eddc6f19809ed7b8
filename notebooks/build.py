"""Makes and runs the notebooks: `python -m notebooks.build [--execute] [--kaggle] [--venv] [--turn] [NAME ...]`.

A source is a file NN_name.py in jupytext's percent format. It makes two notebooks: notebooks/NN_name.ipynb for the
repository, and notebooks/kaggle/NN_name.ipynb, which needs nothing but pip packages. A cell with the tag of one is left
out of the other. The cells of first_cells_repository.py or first_cells_kaggle.py follow the title.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

Variant = Literal["repository", "kaggle"]

VARIANTS: tuple[Variant, ...] = get_args(Variant)
"""Also the tags of cells that belong to one variant alone."""
FOLDER = Path(__file__).parent
SECONDS = 600
"""A cell that takes longer has failed."""
IN_VENV = ("ipykernel", "nbclient")
"""What a notebook server has: all that is in the empty environment before a notebook of Kaggle runs there."""

_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Book:
    """One notebook: a source in one variant."""

    source: Path
    variant: Variant

    @property
    def path(self) -> Path:
        """Where it is written."""
        folder = self.source.parent / "kaggle" if self.variant == "kaggle" else self.source.parent
        return folder / f"{self.source.stem}.ipynb"

    def __str__(self) -> str:
        """Its path below the folder of notebooks."""
        return self.path.relative_to(self.source.parent).as_posix()


def sources() -> list[Path]:
    """The files of all notebooks, in order."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def chosen(names: Sequence[str], variants: Iterable[Variant]) -> list[Book]:
    """The notebooks whose names begin with one of `names` (none: all). Raises ValueError for a name of none."""
    found = {name: [path for path in sources() if path.stem.startswith(name)] for name in names or ("",)}
    if unknown := [name for name, paths in found.items() if not paths]:
        known = ", ".join(path.stem for path in sources())
        raise ValueError(f"no notebook begins with {unknown[0]!r}, allowed: {known}")
    return [Book(path, variant) for variant in variants for paths in found.values() for path in paths]


def by_turn(number: int) -> list[Book]:
    """The two notebooks whose turn it is: one of the repository, and one of Kaggle that is half the list ahead."""
    paths = sources()
    ahead = (number + len(paths) // 2) % len(paths)
    return [Book(paths[number % len(paths)], "repository"), Book(paths[ahead], "kaggle")]


def commits() -> int:
    """The number of commits up to this one, by which turns are taken."""
    counted = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=FOLDER, capture_output=True, text=True)
    return int(counted.stdout) if counted.returncode == 0 else 0


def made(book: Book) -> NotebookNode:
    """The notebook without outputs, of the form 4.4, which every Jupyter since 2019 opens. Raises ValueError where
    the source has no title or a tag that means nothing."""
    title, *cells = _cells(book.source)
    if title.cell_type != "markdown" or not title.source.startswith("# "):
        raise ValueError(f"{book.source.name}: the first cell is not a title")
    first = _cells(FOLDER / f"first_cells_{book.variant}.py")
    kept = [cell for cell in cells if not _tags(cell, book.source) or book.variant in _tags(cell, book.source)]
    cells = [title, *first, *kept]
    for cell in cells:
        cell.metadata.clear()
    return new_notebook(cells=cells, metadata=_METADATA, nbformat_minor=4)


def _cells(source: Path) -> list[NotebookNode]:
    cells = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent").cells
    for cell in cells:
        cell.pop("id", None)  # of the form 4.5
    return cells


def _tags(cell: NotebookNode, source: Path) -> list[str]:
    tags = cell.metadata.get("tags", [])
    for tag in tags:
        if tag not in VARIANTS:
            raise ValueError(f"{source.name}: unknown tag {tag!r}, allowed: {', '.join(VARIANTS)}")
    return tags


def write(notebook: NotebookNode, path: Path) -> None:
    """Write it, and the folder where there is none."""
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run all its cells with `folder` as the current one; outputs are kept in it. Raises CellExecutionError."""
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
        extra_arguments=["--log-level=ERROR"],
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])}
    client.execute(env=environment)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran


def shown(notebook: NotebookNode) -> str:
    """All that its cells print, and their errors."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [output.get("text") or "\n".join(output.get("traceback", [])) for output in outputs]
    return _COLOURS.sub("", "".join(texts))


def build(book: Book, run: bool) -> bool:
    """Make one notebook and, with `run`, execute it; says whether that went well, and prints how long it took."""
    notebook, began, well = made(book), time.perf_counter(), True
    if run:
        with TemporaryDirectory() as empty:
            try:
                execute(notebook, book.source.parent if book.variant == "repository" else Path(empty))
            except CellExecutionError:
                well = False
    write(notebook, book.path)
    _report(book, began if run else None, well)
    if not well:
        print(shown(notebook), file=sys.stderr)
    return well


def _report(book: Book, began: float | None, well: bool) -> None:
    what = "made" if began is None else f"{time.perf_counter() - began:.1f} s"
    print(f"{book}: {what}{'' if well else ', FAILED'}", flush=True)


def build_in_venv(books: Sequence[Book]) -> bool:
    """Run notebooks of Kaggle in a new virtual environment and a folder of its own, beside a wheel that is built from
    this repository: the first one installs it, as on Kaggle; says whether all went well."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        began = time.perf_counter()
        python = _empty_venv(folder / "venv")
        _silently(sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", name, str(FOLDER.parent))
        print(f"empty environment and wheel: {time.perf_counter() - began:.1f} s", flush=True)
        went = [_run_in_venv(book, python, folder) for book in books]
        return all(went)


def _empty_venv(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    _silently(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *IN_VENV)
    return python


def _run_in_venv(book: Book, python: Path, folder: Path) -> bool:
    path, began = folder / book.path.name, time.perf_counter()
    write(made(book), path)
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "KAIZAR_HOME")}
    command = [str(python.with_name("jupyter-execute")), "--inplace", f"--timeout={SECONDS}", path.name]
    ran = subprocess.run(command, cwd=folder, env=outside, capture_output=True, text=True)
    _report(book, began, ran.returncode == 0)
    if ran.returncode:
        print(_COLOURS.sub("", ran.stderr), file=sys.stderr)
    else:
        book.path.parent.mkdir(exist_ok=True)
        shutil.copy(path, book.path)
    return ran.returncode == 0


def _silently(*command: str) -> None:
    """Raises CalledProcessError, after what the command printed, where it fails."""
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ran.returncode:
        print(ran.stdout, file=sys.stderr)
        ran.check_returncode()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 where all went well."""
    parser = argparse.ArgumentParser("python -m notebooks.build", description="Make and run the notebooks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="beginnings of names, such as 01; default: all")
    parser.add_argument("--execute", action="store_true", help="run them, and keep their outputs")
    parser.add_argument("--kaggle", action="store_true", help="those for Kaggle instead of those of the repository")
    parser.add_argument("--venv", action="store_true", help="run those for Kaggle in an empty virtual environment")
    parser.add_argument("--turn", action="store_true", help="run the two whose turn it is, by the number of commits")
    asked = parser.parse_args(arguments)
    try:
        books = chosen(asked.names, ["kaggle" if asked.kaggle or asked.venv else "repository"])
    except ValueError as error:
        parser.error(str(error))
    if asked.venv:
        return 0 if build_in_venv(books) else 1
    if asked.turn:
        books = by_turn(commits())
    went = [build(book, asked.execute or asked.turn) for book in books]
    return 0 if all(went) else 1


if __name__ == "__main__":
    sys.exit(main())
