"""How results are compared and shown, on runs whose outcome is made up."""

from datetime import date
from math import inf

import pytest

from kaizar_pipeline.verification.verify import Result, distribution_of_z, rows, validation_page

pytestmark = pytest.mark.unit


def result(simulated: float, error: float, theory: float = 2.0, model: str = "a ward", published: float = 0) -> Result:
    return Result(model, "Erlang 1917", "mean census", theory, simulated, error, published)


@pytest.mark.parametrize(("simulated", "z", "agrees"), [(2.3, 3, True), (1.6, -4, True), (2.5, 5, False)])
def test_the_distance_is_in_standard_errors(simulated: float, z: float, agrees: bool):
    found = result(simulated, 0.1)
    assert found.z == pytest.approx(z)
    assert found.agrees is agrees


def test_where_nothing_is_random_only_the_exact_answer_will_do():
    assert (result(2.0, 0).z, result(0.1 + 0.2, 0, theory=0.3).z, result(2.001, 0).z) == (0, 0, inf)
    assert not result(2.001, 0).agrees


def test_a_published_simulation_has_an_error_too():
    found = result(7.0, 0.3, published=0.4)
    assert (found.z, found.agrees) == (10, False)
    assert result(3.0, 0.3, published=0.4).agrees
    assert result(7.0, 0, published=0.4).z == 12.5
    ((_, _, theory, *_, z),) = rows([found])
    assert (theory, z) == ("2.000000 ± 0.400000", "+10.00")
    text = distribution_of_z([result(2.0, 1), result(4.5, 1), result(7.0, 0.3, published=0.4)])
    assert "Of 2 simulated quantities 1 are" in text
    assert "The 1 that were simulated elsewhere are at most 10.00 standard errors (of both) off." in text


def test_how_the_distances_lie():
    text = distribution_of_z([result(2.0, 1), result(4.5, 1), result(7.0, 1), result(2.0, 0), result(2.1, 0)])
    assert "Of 3 simulated quantities 2 are more than 2 standard errors" in text
    assert "1 more than 3, 1 more than 4; z has mean 2.50 and standard deviation 2.50" in text
    assert "Of 2 quantities with nothing random 1 are exact" in text


def test_a_model_is_named_once_on_the_page():
    results = [result(2.25, 0.125), result(2.0, 0, model="another"), result(1.75, 0.125, model="another")]
    assert list(rows(results)) == [
        ("a ward", "mean census", "2.000000", "2.250000", "0.125000", "+2.00"),
        ("another", "mean census", "2", "2", "0", "0"),
        ("", "mean census", "2.000000", "1.750000", "0.125000", "-2.00"),
    ]
    page = validation_page(results, date(2026, 11, 29), runs=7)
    assert "Measured on 2026-11-29." in page
    assert "| another | mean census | 2 | 2 | 0 | 0 |" in page
    assert "run 7 times" in page
    assert "- Erlang 1917: a ward; another.\n" in page
