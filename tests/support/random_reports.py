"""Tables of random hospitals for pages: wards copied from those of a simulated hospital, with other names and sizes.

Only what a page looks like is tried with them, so that counts of a ward are those of the simulated one times a factor;
they need not add up.
"""

from collections.abc import Mapping
from random import Random

import pandas as pd

from kaizar_pipeline.chain.steps import all_tables
from kaizar_pipeline.config.hospital import HospitalConfig, Ward
from kaizar_pipeline.tables import HOSPITAL_TOTAL

PARTS = (
    "ICU", "Ward 7", "Acute medical unit", "Chirurgie", "Kinderklinik für Früh- und Neugeborene", "قسم الطوارئ",
    "O'Brien \"North\" <A & B>", "Herz-, Thorax- und Gefäßchirurgische Intensivüberwachungsstation", "病棟３",
    "=SUM(A1)", "Donaudampfschifffahrtsgesellschaftskrankenhausaufnahmestation", "Geriatría y Rehabilitación",
)  # fmt: skip
FACTORS = (1, 1, 2, 7, 30, 150)
NUMBERS_OF_WARDS = (1, 1, 2, 3, 4, 5, 6, 8, 9, 12)
SCALED = ("beds", "patients")
"""Units of the columns that are multiplied; peak_beds and beds of distributions are among them."""


def random_report(
    tables: Mapping[str, pd.DataFrame], config: HospitalConfig, seed: int
) -> tuple[HospitalConfig, dict[str, pd.DataFrame]]:
    """A hospital of some wards, and its tables, made of those of `config`; some tables may be missing."""
    random = Random(seed)
    number = random.choice(NUMBERS_OF_WARDS)
    copies = {f"w{index:02}": (random.choice(config.wards), random.choice(FACTORS)) for index in range(number)}
    wards = tuple(_renamed(ward, name, random) for name, (ward, _) in copies.items())
    sources = {name: (ward.id, factor) for name, (ward, factor) in copies.items()}
    sources[HOSPITAL_TOTAL] = (HOSPITAL_TOTAL, sum(factor for _, factor in copies.values()))
    info = config.hospital.model_copy(update={"name": _name(random)})
    made = config.model_copy(update={"wards": wards, "groups": {}, "hospital": info})
    missing = {name for name in tables if random.random() < 0.05}
    return made, {name: _copied(name, table, sources) for name, table in tables.items() if name not in missing}


def _name(random: Random) -> str:
    return " ".join(random.choice(PARTS) for _ in range(random.choice((1, 1, 1, 2))))[:80]


def _renamed(ward: Ward, name: str, random: Random) -> Ward:
    return ward.model_copy(update={"id": name, "name": _name(random)})


def _copied(name: str, table: pd.DataFrame, sources: Mapping[str, tuple[str, int]]) -> pd.DataFrame:
    if "ward_id" not in table:
        return table
    columns = [column.name for column in all_tables()[name].columns if column.unit in SCALED and column.name in table]
    copies = []
    for ward, (source, factor) in sources.items():
        rows = table[table["ward_id"] == source].assign(ward_id=ward)
        copies.append(rows.assign(**{column: rows[column] * factor for column in columns}))
    return pd.concat(copies, ignore_index=True)
