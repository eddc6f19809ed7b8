"""Rows of an earlier back-test that a new one may keep: those made from the same inputs by the same code."""

from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pandas as pd

_LIBRARIES = ("numpy", "pandas", "scipy", "lightgbm", "holidays", "numba")
_PACKAGE = Path(__file__).parents[1]


class KeptRows:
    """The rows of an earlier back-test, by origin and `inputs_hash`."""

    def __init__(self, table: pd.DataFrame | None):
        usable = pd.DataFrame() if table is None or "inputs_hash" not in table else table.dropna(subset="inputs_hash")
        self._rows = {} if usable.empty else dict(list(usable.groupby(["origin", "inputs_hash"])))

    def get(self, origin: pd.Timestamp, inputs: str) -> pd.DataFrame | None:
        """The rows of `origin`, None when there are none from these inputs."""
        return self._rows.get((origin, inputs))


def inputs_hash(*inputs: object) -> str:
    """16 hex digits that change with any of `inputs` (frames, series, or what `repr` shows whole), with any source of
    this package, and with the version of a library that it computes with."""
    digest = sha256(_code_digest())
    for part in inputs:
        if isinstance(part, pd.DataFrame | pd.Series):
            digest.update(repr([*part]).encode() if isinstance(part, pd.DataFrame) else b"series")
            digest.update(pd.util.hash_pandas_object(part).to_numpy().tobytes())
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


@cache
def _code_digest() -> bytes:
    digest = sha256(repr([(name, version(name)) for name in _LIBRARIES]).encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(f"\0{path.relative_to(_PACKAGE).as_posix()}\0".encode() + path.read_bytes())
    return digest.digest()
