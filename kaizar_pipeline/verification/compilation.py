"""Compile the kernel now rather than at the first run: python -m kaizar_pipeline.verification.compilation"""

from kaizar_pipeline.simulation import compiled_engine
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.verification.models import cases


def main() -> None:
    """Call every entry of the kernel once, on a hospital of four patients."""
    plan = cases()[-1].plan()
    MonteCarlo(plan, engine="compiled").extend(1)
    MonteCarlo(plan, engine="simpy").extend(1)
    compiled_engine.simulate(plan, draw(plan, 0))


if __name__ == "__main__":
    main()
