"""Random numbers by address instead of by order: the counter-based generator Philox4x32-10.

Every number has an address (seed and hospital, replication, stream, patient number, purpose, stage), and is a pure
function of it. So any number of workers draws the same bits, two scenarios see the same patients, and reordering the
config changes nothing. Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", with the constants of
Random123.
"""

from enum import IntEnum
from hashlib import sha256
from typing import Any
from zlib import crc32

import numpy as np

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)

HISTORY_REPLICATION = 2**32 - 1
"""The replication of a synthetic history, out of reach of any forecast's."""

Numbers = Any
"""An integer or an array of integers."""


class Purpose(IntEnum):
    """What a number is for: part of its address, so that purposes never share numbers."""

    HISTORY = 0
    CENSUS = 1
    ARRIVAL = 2
    ROUTE = 3
    RATE_PATH = 4
    LOS_SCALE = 5
    SCENARIO = 6
    PIT = 7
    DAY_FACTOR = 8
    ROUTE_SHARE = 9


def hospital_key(hospital_id: str, seed: int) -> int:
    """The 64-bit key of a hospital's numbers: the seed xor the first 8 bytes of sha256 of the id, little-endian."""
    return seed ^ int.from_bytes(sha256(hospital_id.encode()).digest()[:8], "little")


def stream_number(stream_id: str) -> int:
    """The 32-bit number of a stream in addresses."""
    return crc32(stream_id.encode())


def philox4x32(key: int, counter: tuple[Numbers, Numbers, Numbers, Numbers]) -> tuple[np.ndarray, ...]:
    """Ten rounds of Philox4x32 on 32-bit words: four arrays of words (in uint64) of the broadcast shape of
    `counter`."""
    words = np.broadcast_arrays(*(np.asarray(word).astype(np.uint64) & _LOW for word in counter))
    c0, c1, c2, c3 = words
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        product0, product1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (product1 >> _32) ^ c1 ^ np.uint64(k0),
            product1 & _LOW,
            (product0 >> _32) ^ c3 ^ np.uint64(k1),
            product0 & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


def uniforms(
    key: int, replication: Numbers, stream: Numbers, number: Numbers, purpose: Numbers, stage: Numbers = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Two doubles in [0, 1) for each address; integers and integer arrays broadcast against each other.

    `purpose` is a `Purpose` (or an array of them), `stage` a number below 65,536.
    """
    last = np.asarray(stage).astype(np.uint64) | (np.asarray(purpose).astype(np.uint64) << np.uint64(16))
    w0, w1, w2, w3 = philox4x32(key, (replication, stream, number, last))
    return _double(w0, w1), _double(w2, w3)


def _double(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    return ((high >> np.uint64(5)) * 67108864.0 + (low >> np.uint64(6))) * 2.0**-53
