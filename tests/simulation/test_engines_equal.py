"""The compiled engine returns what the reference returns, bit for bit, in any hospital.

Three hundred random hospitals, the same on every machine. Before a change of the rules is trusted, run thousands:

    KAIZAR_MORE_EXAMPLES=20 pytest tests/simulation/test_engines_equal.py --timeout=0

mutants.py shows that the comparison would detect a broken rule.
"""

import pytest
from hypothesis import given
from random_hospitals import Hospital, differences, examples, hospitals

from kaizar_pipeline.simulation import compiled_engine, simpy_engine

pytestmark = pytest.mark.integration


@given(hospital=hospitals())
@examples(300)
def test_both_engines_return_the_same_bits(hospital: Hospital) -> None:
    for plan in (hospital.plan, hospital.plan.demand()):
        expected = simpy_engine.simulate(plan, hospital.trajectories)
        assert differences(compiled_engine.simulate(plan, hospital.trajectories), expected) == []
