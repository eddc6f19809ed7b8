"""The simulation against models whose answer is known: within 4 standard errors, and those are small."""

import pytest

from kaizar_pipeline.verification.models import cases
from kaizar_pipeline.verification.verify import Case, validate

pytestmark = pytest.mark.integration

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.model)
def test_the_simulation_agrees_with_theory(case: Case):
    for result in validate([case]):
        assert result.agrees, result
        assert result.standard_error <= 0.02 * result.theory, "too few replications for the test to mean anything"


def test_no_two_models_share_random_numbers():
    assert len({case.model for case in CASES}) == len(CASES)
