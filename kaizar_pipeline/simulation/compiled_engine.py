"""The fast engine: the rules of `simpy_engine`, compiled. For equal trajectories both return the same bits."""

from kaizar_pipeline.simulation.plan import Plan
from kaizar_pipeline.simulation.trajectories import Stays, Trajectories


def simulate(plan: Plan, trajectories: Trajectories, until: int | None = None) -> Stays:
    """Run one replication from 0 up to, and not including, `plan.hours`, or an earlier hour `until`."""
    from kaizar_pipeline.simulation.kernel.block import make_events, make_stays, simulate_one
    from kaizar_pipeline.simulation.kernel.compiling import announced
    from kaizar_pipeline.simulation.kernel.inputs import rules_of

    rules, patients = rules_of(plan), len(trajectories.arrival)
    if until is not None:
        rules = rules._replace(hours=float(until))
    stays = make_stays(patients, len(trajectories.los))
    events = make_events(rules, int(plan.queue_rank.max()) + 1, patients)
    with announced():
        simulate_one(rules, trajectories, stays, events)
    return stays
