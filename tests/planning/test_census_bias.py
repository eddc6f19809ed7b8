"""When a mean error of the back-test is taken for a bias."""

import numpy as np
import pytest

from kaizar_pipeline.planning.census_bias import beyond_chance, relevant

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("census", "patients"), [(100.0, 5.0), (10.0, 0.5), (0.0, 0.5)])
def test_what_matters_in_a_ward(census: float, patients: float):
    assert relevant(census) == patients


@pytest.mark.parametrize(
    ("mean", "error", "dates", "clear"),
    [(3.1, 1.0, 10_000, True), (-3.1, 1.0, 10_000, True), (2.9, 1.0, 10_000, False), (3.1, 1.0, 6, False),
     (6.0, 1.0, 6, True), (100.0, 1.0, 1, False), (100.0, np.nan, 6, False), (1.0, 0.0, 6, True), (0.0, 0.0, 6, False)],
)  # fmt: skip
def test_few_dates_need_more_standard_errors(mean: float, error: float, dates: int, clear: bool):
    assert beyond_chance(mean, error, dates) is clear


def test_chance_passes_for_a_bias_as_rarely_with_few_dates_as_with_many():
    rng = np.random.default_rng(1)
    for dates in (3, 12):
        draws = rng.normal(size=(4000, dates))
        means, errors = draws.mean(axis=1), draws.std(axis=1, ddof=1) / np.sqrt(dates)
        found = np.mean([beyond_chance(m, e, dates) for m, e in zip(means, errors, strict=True)])
        assert found <= 0.006  # of 0.0027 expected
