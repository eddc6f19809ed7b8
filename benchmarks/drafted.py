"""How good the forecasts of drafted hospitals are, beside those of hospitals whose files were written by hand.

    python -m benchmarks.drafted            both, as a table
    python -m benchmarks.drafted --write    store the figures for docs/evidence.md

The mean CRPS of the back-test's midnight census, over the same origins, on the shipped extract (hospital_2) and on the
public records of a short-stay unit (ssu_2024), with the seconds that a draft takes. Records that are not there are
skipped (--data names their folder).
"""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.figures import HOME, keep
from benchmarks.made_up import one_ward
from benchmarks.occupancy import DATA
from kaizar_pipeline import HospitalConfig, load_history, load_hospital_config
from kaizar_pipeline.chain.steps import prepare_backtest
from kaizar_pipeline.drafting.drafted_file import drafted_file
from kaizar_pipeline.drafting.hospital_draft import Place, checked_config, draft_hospital
from kaizar_pipeline.planning.census_backtest import TWIN, BacktestOptions, backtest_occupancy
from kaizar_pipeline.tables.columns import HOSPITAL_TOTAL

REPLICATIONS, ORIGINS = 100, 12
PLACE = Place("Europe/Amsterdam", "NL")


def crps(config: HospitalConfig) -> pd.Series:
    """The mean CRPS of the midnight census by ward, and of the whole hospital."""
    wanted = BacktestOptions(origins=ORIGINS, replications=REPLICATIONS)
    rows = backtest_occupancy(config, load_history(config, HOME), prepare_backtest, HOME, wanted).occupancy_backtest
    midnights = rows[(rows["hour"] == 0) & (rows["method"] == TWIN)]
    return midnights.groupby("ward_id")["crps"].mean()


def drafted(path: Path) -> tuple[HospitalConfig, float]:
    """The drafted hospital of an extract, and the seconds that the draft took."""
    begun = time.perf_counter()
    text = drafted_file(draft_hospital(path, name="drafted", place=PLACE, home=HOME))
    return checked_config(text, "drafted"), time.perf_counter() - begun


def compare(name: str, path: Path, by_hand: HospitalConfig, names: Mapping[str, str]) -> dict[str, float]:
    """The CRPS of the draft over that of the hospital by hand, for all beds together and for the worst ward, and the
    seconds of the draft; `names` has wards of the draft that are called otherwise."""
    config, seconds = drafted(path)
    before, after = crps(by_hand), crps(config)
    print(f"{name}: drafted in {seconds:.1f} s")
    ratios = {}
    for ward, hand in before.items():
        own = after[names.get(str(ward), str(ward))]
        ratios[str(ward)] = float(own / hand)
        print(f"  {ward} {hand:.3f}, drafted {own:.3f}: {own / hand:.3f}", flush=True)
    whole = ratios.pop(HOSPITAL_TOTAL)
    worst = max(ratios.values())
    return {f"drafted_{name}_crps": whole, f"drafted_{name}_crps_worst": worst, f"drafted_{name}_seconds": seconds}


def shipped() -> dict[str, float]:
    """The shipped extract, with two wards."""
    config = load_hospital_config(HOME / "hospital_configs" / "hospital_2.yml")
    path = HOME / "data" / "raw" / "hospital_2" / "patients.csv"
    return compare("hospital_2", path, config, {"medicine": "general_medicine"})


def short_stay(packed: Path) -> dict[str, float]:
    """A short-stay unit, 59,877 visits."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "patients.csv"
        pd.read_csv(packed, dtype=str).to_csv(path, index=False)
        columns = {"patient_id": "PatID", "arrival": "InRoomTS", "departure": "OutRoomTS"}
        by_hand = one_ward(path, patients={"columns": columns, "max_reject_share": 0.05, "max_age_days": None})
        return compare("ssu", path, by_hand, {})


def main() -> int:
    """Compare both hospitals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of public records")
    parser.add_argument("--write", action="store_true", help="store the figures for docs/evidence.md")
    given = parser.parse_args()
    figures = shipped()
    packed = given.data / "ssu_2024.csv.gz"
    if packed.exists():
        figures |= short_stay(packed)
    else:
        print(f"{packed} is not there", file=sys.stderr)
    if given.write:
        keep(figures, "python -m benchmarks.drafted --write")
    return 0


if __name__ == "__main__":
    sys.exit(main())
