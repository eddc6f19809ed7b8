"""The list of steps, and the version of a step that is computed from its source."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from kaizar_pipeline.chain import source_digest
from kaizar_pipeline.chain.source_digest import code_version
from kaizar_pipeline.chain.step import Made, Run, Step
from kaizar_pipeline.chain.steps import STEPS, steps_to
from kaizar_pipeline.errors import KaizarError
from tests.support.small_extracts import make_hospital

pytestmark = pytest.mark.unit


def test_every_step_comes_after_those_that_make_what_it_needs():
    made: set[str] = set()
    for step in STEPS:
        assert set(step.needs) <= made, step.name
        assert made.isdisjoint(step.table_names)
        made |= set(step.table_names)


def test_only_the_steps_on_the_way_to_a_table_are_carried_out():
    names = [step.name for step in steps_to(["arrival_rates"])]
    assert names == ["history", "daily_arrivals", "arrival_profile", "feature_table", "arrival_model", "arrival_rates"]
    given = ["daily_arrivals", "feature_table"]
    left = [step.name for step in steps_to(["arrival_rates"], given=given)]
    assert left == [name for name in names if name not in given]


def test_an_unknown_table_is_refused():
    with pytest.raises(KaizarError, match="unknown table 'arrivel_rates', allowed: patients, "):
        steps_to(["arrivel_rates"])


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """What replaces the source of a module."""
    changed: dict[str, str] = {}
    read = source_digest._source

    def source(module: str) -> str:
        return changed.get(module, read(module))

    monkeypatch.setattr(source_digest, "_source", source)
    yield changed
    for cached in (source_digest._closure, source_digest._imports):
        cached.cache_clear()


def test_a_step_has_a_new_version_when_something_changes_that_it_imports(sources: dict[str, str]):
    before = {step.name: code_version(step) for step in STEPS}
    assert len(set(before.values())) == len(before)
    sources["kaizar_pipeline.patients.survival"] = "# another way to estimate survival"
    changed = {step.name for step in STEPS if code_version(step) != before[step.name]}
    assert {"length_of_stay", "occupancy_backtest"} <= changed
    assert changed.isdisjoint({"daily_arrivals", "feature_table", "arrival_model", "arrival_rates", "forecast_scores"})
    sources["kaizar_pipeline.simulation.kernel.events"] = "# another rule"
    changed = {step.name for step in STEPS if code_version(step) != before[step.name]}
    assert "occupancy" in changed
    assert changed.isdisjoint({"daily_arrivals", "arrival_model"})


def test_a_step_computes_with_one_blas_thread_whatever_the_machine():
    threads = []

    def looks(run: Run) -> Made:
        threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return Made({})

    with threadpool_limits(2, user_api="blas"):
        Step(looks, (), "test")(Run(make_hospital()), {})
        after = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    assert set(threads) == {1}
    assert after == {2}
