"""The fast engine: the rules of `simpy_engine`, compiled. For equal trajectories both return the same bits."""

from kaizar_pipeline.simulation.plan import Plan
from kaizar_pipeline.simulation.trajectories import Stays, Trajectories


def simulate(plan: Plan, trajectories: Trajectories) -> Stays:
    """Run one replication from 0 up to, and not including, `plan.hours`."""
    from kaizar_pipeline.simulation.kernel.block import make_events, make_stays, simulate_one
    from kaizar_pipeline.simulation.kernel.compiling import announced
    from kaizar_pipeline.simulation.kernel.inputs import rules_of

    rules, patients = rules_of(plan), len(trajectories.arrival)
    stays = make_stays(patients, len(trajectories.los))
    events = make_events(rules, int(plan.queue_rank.max()) + 1, patients)
    with announced():
        simulate_one(rules, trajectories, stays, events)
    return stays
