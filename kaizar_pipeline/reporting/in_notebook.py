"""What a notebook needs beside the library: errors as sentences, and axes that show as pictures.

IPython is not a dependency. It is looked for only where it is already loaded, which is so inside a notebook; elsewhere
both functions do nothing.
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from kaizar_pipeline.config.messages import path_of
from kaizar_pipeline.errors import KaizarError
from kaizar_pipeline.reporting.canvas import png

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plain_errors() -> None:
    """From now on show a KaizarError in a cell as its message alone, without a traceback, and so what is wrong with a
    scenario or hospital that is made in a cell. The cell still fails, so that "run all" stops there."""
    shell = _shell()
    if shell is not None:
        shell.set_custom_exc((KaizarError, ValidationError), _say)


def show_pictures() -> None:
    """From now on show the axes at the end of a cell, which each `plot_` function returns, as a picture."""
    shell = _shell()
    if shell is not None:
        shell.display_formatter.formatters["image/png"].for_type_by_name("matplotlib.axes._axes", "Axes", _picture)


def _shell() -> Any:
    """The interactive shell of IPython that this process runs in, if any."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _say(_shell: Any, _type: type[BaseException], error: BaseException, _traceback: Any, tb_offset: Any = None) -> None:
    """IPython's form of a handler of errors."""
    message = "\n".join(_in_words(error)) if isinstance(error, ValidationError) else str(error)
    print(message, file=sys.stderr)  # noqa: T201  a cell's output


def _in_words(error: ValidationError) -> Iterator[str]:
    for details in error.errors(include_url=False):
        place = path_of(details["loc"])
        found = "" if isinstance(details["input"], dict) else f", found {details['input']!r}"
        yield f"{error.title}: {place}{': ' if place else ''}{details['msg'].removeprefix('Value error, ')}{found}"


def _picture(ax: "Axes") -> bytes | None:
    """PNG of a figure of ours; None for one of pyplot, which shows its figures itself."""
    figure = ax.get_figure(root=True)
    return png(ax) if figure is not None and figure.canvas.manager is None else None
