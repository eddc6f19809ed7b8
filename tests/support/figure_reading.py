"""A figure read back: its elements, and the digits that belong to nothing."""

import re
from xml.etree import ElementTree

from kaizar_pipeline.reporting.figures import Figure


def tree(figure: Figure | None) -> ElementTree.Element:
    """The figure's markup as elements."""
    assert figure is not None
    return ElementTree.fromstring(str(figure.svg))


def bare_digits(root: ElementTree.Element) -> list[str]:
    """Texts with digits that are neither a tick, a date, a name, nor a number with its source."""
    if root.get("class") in ("tick", "date") or root.get("data-of") or root.tag in ("bdi", "time"):
        return []
    own = [text for text in (root.text, *(child.tail for child in root)) if text and re.search(r"\d", text)]
    return own + [text for child in root for text in bare_digits(child)]
