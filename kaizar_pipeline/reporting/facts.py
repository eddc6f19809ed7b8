"""What a report says about the run behind its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

CHECK_COLUMNS = ("table", "name", "blocking", "passed", "message")


@dataclass(frozen=True)
class Facts:
    """Facts of a run that are in no table."""

    hospital_id: str
    run_id: str
    config_hash: str
    seed: int
    replications: int
    """Replications of the run, or the most it may have made."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions by name, the package's first."""
    seconds: float | None = None
    """Seconds that the run took, None if not known."""
    checks: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(CHECK_COLUMNS)))
    """The latest result of each check, by CHECK_COLUMNS."""
    warnings: Sequence[str] = ()
    """Warnings of the hospital's file."""
    scenarios: Mapping[str, str] = field(default_factory=dict)
    """Descriptions of the scenarios by name."""

    @property
    def failed(self) -> pd.DataFrame:
        """The checks that failed, blocking ones first."""
        failed = self.checks[~self.checks["passed"].astype(bool)]
        return failed.sort_values("blocking", ascending=False, kind="stable")
