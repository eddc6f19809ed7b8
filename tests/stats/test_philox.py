"""Random numbers by address: the published vectors, and independence of order."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaizar_pipeline.simulation.kernel import random as kernel
from kaizar_pipeline.stats.philox import Purpose, hospital_key, philox4x32, uniforms

pytestmark = pytest.mark.unit


@numba.njit
def uniforms_of_the_kernel(key, replication, stream, number, purpose, stage):
    return kernel.uniforms(key, replication, stream, number, purpose, stage)


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        (0, (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (2**64 - 1, (2**32 - 1,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            0xA4093822 | 0x299F31D0 << 32,
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_the_published_vectors_of_random123(key, counter, words):
    assert tuple(int(word) for word in philox4x32(key, counter)) == words


@given(
    st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8)
)
def test_a_number_depends_on_its_address_only(key, replication, numbers):
    together, _ = uniforms(key, replication, 7, np.array(numbers), Purpose.ROUTE, 3)
    alone = [uniforms(key, replication, 7, number, Purpose.ROUTE, 3)[0] for number in numbers]
    assert together.tolist() == alone
    assert ((together >= 0) & (together < 1)).all()


@given(st.integers(0, 2**64 - 1), *[st.integers(0, 2**32 - 1)] * 3, st.sampled_from(Purpose), st.integers(0, 2**16 - 1))
def test_the_kernel_draws_the_same_numbers(key, replication, stream, number, purpose, stage):
    expected = uniforms(key, replication, stream, number, purpose, stage)
    address = (np.uint64(word) for word in (key, replication, stream, number, purpose, stage))
    assert uniforms_of_the_kernel(*address) == tuple(map(float, expected))


def test_purposes_stages_streams_and_replications_never_share_numbers():
    addresses = [(r, s, n, p, g) for r in (0, 1) for s in (0, 1) for n in (0, 1) for p in Purpose for g in (0, 1)]
    drawn = {float(uniforms(1, r, s, n, p, g)[0]) for r, s, n, p, g in addresses}
    assert len(drawn) == len(addresses)


def test_uniforms_are_uniform():
    first, second = uniforms(hospital_key("a", 1), 0, 0, np.arange(100_000), Purpose.ARRIVAL)
    for values in (first, second):
        counts, _ = np.histogram(values, bins=20, range=(0, 1))
        assert ((counts - 5000) ** 2 / 5000).sum() < 45.3  # chi-squared with 19 degrees, one in a thousand
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(100_000)
