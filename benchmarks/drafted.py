"""How good the forecasts of drafted hospitals are, beside those of hospitals whose files were written by hand.

    python -m benchmarks.drafted        both, as a table

The mean CRPS of the back-test's midnight census, over the same origins, on the shipped extract (hospital_2) and on the
public records of a short-stay unit (ssu_2024), with the seconds that a draft takes. Records that are not there are
skipped.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.made_up import one_ward
from benchmarks.occupancy import DATA, HOME
from kaizar_pipeline import HospitalConfig, load_history, load_hospital_config
from kaizar_pipeline.chain.steps import prepare_backtest
from kaizar_pipeline.drafting.drafted_file import drafted_file
from kaizar_pipeline.drafting.hospital_draft import Place, checked_config, draft_hospital
from kaizar_pipeline.planning.census_backtest import TWIN, BacktestOptions, backtest_occupancy

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


def compare(name: str, path: Path, by_hand: HospitalConfig, names: Mapping[str, str]) -> None:
    """Print the CRPS of both, by ward; `names` has wards of the draft that are called otherwise."""
    config, seconds = drafted(path)
    before, after = crps(by_hand), crps(config)
    print(f"{name}: drafted in {seconds:.1f} s")
    for ward, hand in before.items():
        own = after[names.get(str(ward), str(ward))]
        print(f"  {ward} {hand:.3f}, drafted {own:.3f}: {own / hand:.3f}", flush=True)


def main() -> None:
    """Compare both hospitals."""
    shipped = load_hospital_config(HOME / "hospital_configs" / "hospital_2.yml")
    compare(
        "hospital_2", HOME / "data" / "raw" / "hospital_2" / "patients.csv", shipped, {"medicine": "general_medicine"}
    )
    packed = DATA / "ssu_2024.csv.gz"
    if packed.exists():
        with TemporaryDirectory() as folder:
            path = Path(folder) / "patients.csv"
            pd.read_csv(packed, dtype=str).to_csv(path, index=False)
            columns = {"patient_id": "PatID", "arrival": "InRoomTS", "departure": "OutRoomTS"}
            by_hand = one_ward(path, patients={"columns": columns, "max_reject_share": 0.05, "max_age_days": None})
            compare("ssu_2024", path, by_hand, {})


if __name__ == "__main__":
    main()
