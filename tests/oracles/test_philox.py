"""Philox4x32-10 and the doubles made from it, ours and the kernel's, against randomgen, bit for bit."""

from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaizar_pipeline.simulation.kernel import random as kernel
from kaizar_pipeline.stats.philox import Purpose, philox4x32, uniforms

pytestmark = pytest.mark.unit

words = st.integers(0, 2**32 - 1)
keys = st.integers(0, 2**64 - 1)


@numba.njit
def uniforms_of_the_kernel(key, replication, stream, number, purpose, stage):
    return kernel.uniforms(key, replication, stream, number, purpose, stage)


def generator_at(randomgen: Any, key: int, counter: tuple[int, ...]) -> Any:
    """randomgen's generator whose next block of four words is the one at `counter`; it counts on before each block."""
    number = sum(word << 32 * place for place, word in enumerate(counter))
    return randomgen.Philox(key=key, counter=(number - 1) % 2**128, number=4, width=32)


@given(keys, st.tuples(words, words, words, words))
def test_words(randomgen: Any, key: int, counter: tuple[int, int, int, int]):
    expected = generator_at(randomgen, key, counter).random_raw(4)
    assert [int(word) for word in philox4x32(key, counter)] == expected.tolist()


@given(keys, words, words, words, st.integers(0, 2**32 - 1001))
def test_many_words_at_once(randomgen: Any, key: int, stream: int, number: int, last: int, first: int):
    expected = generator_at(randomgen, key, (first, stream, number, last)).random_raw(4000)
    found = philox4x32(key, (np.arange(first, first + 1000), stream, number, last))
    np.testing.assert_array_equal(np.stack(found, axis=1).ravel(), expected)


@given(keys, words, words, words, st.sampled_from(Purpose), st.integers(0, 2**16 - 1))
def test_doubles(randomgen: Any, key: int, replication: int, stream: int, number: int, purpose: Purpose, stage: int):  # noqa: PLR0913  the parts of an address
    bits = generator_at(randomgen, key, (replication, stream, number, purpose << 16 | stage))
    expected = tuple(np.random.Generator(bits).random(2).tolist())
    assert tuple(map(float, uniforms(key, replication, stream, number, purpose, stage))) == expected
    address = (np.uint64(word) for word in (key, replication, stream, number, purpose, stage))
    assert uniforms_of_the_kernel(*address) == expected
