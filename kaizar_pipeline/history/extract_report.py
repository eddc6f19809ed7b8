"""What an extract holds, in a few lines: for those who set up a hospital, before the first run."""

from pathlib import Path

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.snapshot import shown
from kaizar_pipeline.history.loading import History, load_history
from kaizar_pipeline.patients.census_jump import census_jump
from kaizar_pipeline.patients.daily_arrivals import arrivals_per_day
from kaizar_pipeline.patients.observed_census import hours_are_known
from kaizar_pipeline.patients.openings import unannounced
from kaizar_pipeline.patients.rejects import by_reason
from kaizar_pipeline.patients.starting_census import starting_census


def extract_report(config: HospitalConfig, home: Path | None = None) -> list[str]:
    """Lines about the extract of `config`: rows, span, census, rows set aside with an example, and what was assumed.

    Empty for a synthetic hospital. Raises DataError as `load_history` does.
    """
    return [] if config.patients.knows_beds else _lines(config, load_history(config, home))


def _lines(config: HospitalConfig, history: History) -> list[str]:
    patients, rejects = history.patients, history.patient_rejects
    first, last = patients["arrival"].min(), patients["arrival"].max()
    present = starting_census(patients, history.ward_stays)
    by_ward = present["ward_id"].value_counts().reindex(config.ward_ids, fill_value=0)
    wards = ", ".join(f"{ward} {count}" for ward, count in by_ward.items())
    waiting = int(present["waits_for"].notna().sum())
    streams = patients["stream_id"].value_counts().reindex([s.id for s in config.arrival_streams], fill_value=0)
    lines = [
        f"{history.rows:,} rows, {len(patients):,} of them patients ({_counts(streams)}), arrived {first:%Y-%m-%d} to "
        f"{last:%Y-%m-%d}",
        f"as_of {shown(history.as_of)}, {history.days_behind} days before today; in the hospital then: {wards}, "
        f"waiting {waiting}",
    ]
    lines += _without_times(patients)
    if history.ignored:
        ignored = ", ".join(f"{service} {rows:,}" for service, rows in history.ignored.items())
        lines.append(f"{sum(history.ignored.values()):,} further rows are left out by patients.ignore: {ignored}")
    if len(rejects):
        lines += [f"{len(rejects):,} rows are set aside:", *by_reason(rejects).splitlines()]
    lines += history.warnings
    changes = unannounced(arrivals_per_day(patients, config), config)
    lines += [f"stream {stream}: {what}" for stream, what in changes.items()]
    jump = census_jump(config, patients, rejects, history.ward_stays)
    if jump is not None and (jump.impossible or jump.doubtful):
        stops = jump.impossible and config.patients.census != "expected"
        lines.append(f"{jump}{'; a run stops, unless patients.census: expected' if stops else ''}")
    return lines


def _without_times(patients: pd.DataFrame) -> list[str]:
    """What stamps without a time of day mean for the hours of the past."""
    by_day = int((patients["resolution"] != "second").sum())
    if not by_day:
        return []
    who = f"{by_day:,} of {len(patients):,} patients have a stamp without a time of day"
    if hours_are_known(patients):
        return [f"{who}: their hours are drawn"]
    return [f"{who}: of the past the midnights alone are known, and chances of full days cannot be tested"]


def _counts(counts: pd.Series) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
