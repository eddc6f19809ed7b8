"""Hides who a patient is: ids are stored as keyed hashes, so that extracts of one site can be joined but no id be read.

Without the key, a hash cannot be turned back by trying all ids. Lose the key, and the same patient gets another hash.
"""

import os
import secrets
from hashlib import blake2b
from pathlib import Path

import pandas as pd

from kaizar_pipeline.errors import DataError

KEY_VARIABLE = "KAIZAR_PSEUDONYM_KEY"
KEY_FILE = Path("data") / "pseudonym.key"


def pseudonym_key(configured: str | None, home: Path) -> bytes:
    """The key of a site's hashes: `configured`, else the environment's, else that of `data/pseudonym.key` under `home`.

    The file is made at first use, for its owner only. Raises DataError when it cannot be made or read, or is empty.
    """
    text = configured or os.environ.get(KEY_VARIABLE) or _key_in_file(home / KEY_FILE)
    return blake2b(text.encode()).digest()


def pseudonyms(ids: pd.Series, key: bytes) -> pd.Series:
    """16 hex digits for each id (text), null for null."""
    return ids.map(lambda text: blake2b(text.encode(), digest_size=8, key=key).hexdigest(), na_action="ignore")


def _key_in_file(file: Path) -> str:
    try:
        if not file.exists():
            _make_key(file)
        text = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{KEY_FILE}: cannot be made or read ({error}); set {KEY_VARIABLE} instead") from error
    if not text:
        raise DataError(
            f"{KEY_FILE}: is empty; restore it from a backup, or delete it and let all patients get new hashes"
        )
    return text


def _make_key(file: Path) -> None:
    """Write a new key beside `file` and link it in place: of several first runs one wins, and none sees half a key."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(secrets.token_hex(32) + "\n")
        os.link(draft, file)
    except FileExistsError:
        return  # another run was first; its key is the key
    finally:
        draft.unlink(missing_ok=True)
