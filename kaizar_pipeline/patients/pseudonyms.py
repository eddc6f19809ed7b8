"""Hides who a patient is: ids are stored as keyed hashes, so that extracts of one site can be joined but no id be read.

Without the key, a hash cannot be turned back by trying all ids. Lose the key, and the same patient gets another hash.
"""

import os
import re
import secrets
from hashlib import sha256
from pathlib import Path

from kaizar_pipeline.errors import DataError

KEY_VARIABLE = "KAIZAR_PSEUDONYM_KEY"
KEY_FILE = Path("data") / "pseudonym.key"

_BLOCK_BYTES = 64


def pseudonym_key(configured: str | None, home: Path) -> bytes:
    """The key of a site's hashes: `configured`, else the environment's, else that of `data/pseudonym.key` under `home`.

    The file is made at first use, for its owner only. Raises DataError when it cannot be made or read, or is not whole.
    """
    text = configured or os.environ.get(KEY_VARIABLE) or _key_in_file(home / KEY_FILE)
    return sha256(text.encode()).digest()


def hashed_person(id_: str, key: bytes) -> str:
    """SQL: the first 64 bits of HMAC-SHA256 (RFC 2104) of the SQL text `id_` as a UBIGINT, null for null."""
    inner, outer = (_blob(bytes(byte ^ pad for byte in key.ljust(_BLOCK_BYTES, b"\0"))) for pad in (0x36, 0x5C))
    digest = f"sha256({outer} || unhex(sha256({inner} || encode({id_}))))"
    return f"('0x' || substr({digest}, 1, 16))::UBIGINT"


def hashed_visit(person: str, arrival: str) -> str:
    """SQL: the id of the visit of a person (`hashed_person`) that began at `arrival`, as a UBIGINT."""
    return f"xor({person}, md5_number_lower(({arrival})::VARCHAR))"


def as_digits(hashed: str) -> str:
    """SQL: a hash as 16 hex digits."""
    return f"format('{{:016x}}', {hashed})"


def _blob(content: bytes) -> str:
    return "'" + "".join(f"\\x{byte:02X}" for byte in content) + "'::BLOB"


def _key_in_file(file: Path) -> str:
    try:
        if not file.exists():
            _make_key(file)
        text = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{KEY_FILE}: cannot be made or read ({error}); set {KEY_VARIABLE} instead") from error
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise DataError(
            f"{KEY_FILE}: is not a whole key of 64 hex digits; restore it from a backup, or delete it and let all "
            "patients get new hashes"
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
