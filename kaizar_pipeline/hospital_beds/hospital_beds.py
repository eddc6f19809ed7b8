"""The public hospital-beds form: patients, weekly beds and staff of one year, read from a folder of CSV files."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import DataError, listed
from kaizar_pipeline.hospital_beds.beds_project import Project, write_files
from kaizar_pipeline.hospital_beds.form_files import (
    FORM_FILES,
    PATIENTS_FILE,
    SCHEDULE_FILE,
    STAFF_FILE,
    WEEKLY_FILE,
    FormFile,
    read_rows,
    service_id,
    service_ids,
    whole_numbers,
)

NO_EVENT = "none"
KNOWN_EVENTS = (NO_EVENT, "flu", "strike", "donation")
NURSE = "nurse"
"""The role whose presence is counted."""

_WEEKS = 53
_FIRST = ("emergency", "surgery", "general_medicine", "icu")
"""Services of the public set, in the order in which they are shown; others follow by name."""
_MOST_BEDS, _MOST_PATIENTS = 10_000, 1_000_000
_MOST_UNREADABLE = 0.02
"""Share of the rows of patients.csv, as `max_reject_share` of a hospital's file."""
_ALL = 0.995
"""Share of the admitted patients from which on patients.csv holds all of them."""

_COUNTS = {"patients_request": "requests", "patients_admitted": "admitted", "patients_refused": "refused"}


@dataclass(frozen=True)
class HospitalBeds:
    """A folder of the form. Services have the ids of their wards (`service_id`), and week k of the year in which most
    patients arrive is its days 7(k - 1) to 7k - 1, counted from 1 January as day 0: an assumption, for the form has no
    dates of weeks."""

    folder: Path
    arrivals: pd.DataFrame
    """One row per row of patients.csv that can be read: service, name (as the file spells it), date."""
    weekly: pd.DataFrame | None
    """One row per service and week: service, week, week_start, available_beds, requests, admitted, refused, event.
    None: there is no services_weekly.csv."""
    nurses: pd.DataFrame | None
    """One row per service and week: service, week, week_start, nurses_present, nurses_on_roll (in staff.csv, or in the
    schedule of the week), available_beds (null where unknown). None: nothing is known of them."""
    notes: list[str]
    """What is missing, and what was assumed, a sentence each."""

    @classmethod
    def read(cls, folder: str | Path) -> "HospitalBeds":
        """The form in `folder`. Only patients.csv is required; the notes say what the other files would add.

        Raises DataError, with file and line, for a file that cannot be used as a whole.
        """
        folder = Path(folder)
        there = [form for form in FORM_FILES if (folder / form.name).is_file()]
        if PATIENTS_FILE not in there:
            what = f"has no {PATIENTS_FILE.name}" if folder.is_dir() else "is not a folder"
            names = ", ".join(form.name for form in FORM_FILES)
            raise DataError(f"{folder}: {what}; required: a folder of the hospital-beds form, with {names}")
        arrivals, notes = _arrivals(read_rows(folder, PATIENTS_FILE))
        first_day = pd.Timestamp(year_of(arrivals), 1, 1)
        weekly = _weekly(read_rows(folder, WEEKLY_FILE), first_day) if WEEKLY_FILE in there else None
        staff = read_rows(folder, STAFF_FILE) if STAFF_FILE in there else None
        schedule = read_rows(folder, SCHEDULE_FILE) if SCHEDULE_FILE in there else None
        nurses = None if schedule is None else _nurses(schedule, staff, weekly, first_day)
        data = cls(folder, arrivals, weekly, nurses, notes)
        notes += [*_missing(there), *data._notes()]
        return data

    @property
    def services(self) -> list[str]:
        """The ids of the services in patients.csv, which are the wards of the hospital."""
        found = set(self.arrivals["service"])
        return [*(name for name in _FIRST if name in found), *sorted(found - set(_FIRST))]

    @property
    def year(self) -> int:
        """The year of the weeks."""
        return year_of(self.arrivals)

    @property
    def last_day(self) -> pd.Timestamp:
        """The last day with an arrival in the year: the last complete day."""
        dates = self.arrivals["date"]
        return dates[dates.dt.year == self.year].max()

    @cached_property
    def admissions(self) -> pd.DataFrame:
        """By service that both files have: in_file (patients who arrived in its weeks), and admitted and requests, by
        services_weekly.csv, of the weeks from the first to the last arrival in the file."""
        if self.weekly is None:
            return pd.DataFrame({"in_file": [], "admitted": [], "requests": []}, dtype="int64")
        week = (self.arrivals["date"] - pd.Timestamp(self.year, 1, 1)).dt.days // 7 + 1
        arrived = self.arrivals.assign(week=week).merge(self.weekly[["service", "week"]])
        covered = self.weekly[self.weekly["week"].between(week.min(), week.max())]
        sums = covered.groupby("service")[["admitted", "requests"]].sum()
        sums.insert(0, "in_file", arrived.groupby("service").size())
        return sums.reindex([name for name in self.services if name in sums.index]).fillna(0).astype("int64")

    def all_admitted(self, arrival_rates: pd.DataFrame) -> pd.DataFrame:
        """The table arrival_rates of this hospital for all whom services_weekly.csv counts as admitted, as in the
        scenario of that name: the same where patients.csv has them all."""
        known = self.admissions[self.admissions["in_file"] > 0]
        factors = arrival_rates["stream_id"].map(known["admitted"] / known["in_file"]).fillna(1.0)
        factors = factors.where((factors - 1).abs() > 1 - _ALL, 1.0)
        rates = {name: arrival_rates[name] * factors for name in ("rate", "mean_rate")}
        return arrival_rates.assign(**rates)

    def write_project(self, home: str | Path, name: str = "kaggle") -> HospitalConfig:
        """Write the hospital `name` into the project `home`, over what an earlier call wrote, and load it.

        Writes hospital_configs/NAME.yml, its scenarios NAME_all_admitted and NAME_all_requests where they differ from
        the hospital as it is, and data/raw/NAME/events.csv; patients.csv is read from where it is. Raises ConfigError
        for a name that is not an id and for a file that this function did not write, and DataError where a file cannot
        be written; then nothing is changed.
        """
        return write_files(Project(self, Path(home).resolve(), name))

    def _notes(self) -> Iterator[str]:
        """What the files say of each other."""
        if (other := int((self.arrivals["date"].dt.year != self.year).sum())) > 0:
            yield (
                f"{other:,} of {len(self.arrivals):,} patients arrived in another year than {self.year}, in which most "
                f"did: weeks are of {self.year}, and patients who arrived after {self.last_day:%Y-%m-%d} are left out"
            )
        if self.weekly is not None:
            yield from _notes_on_wards(self.services, self.weekly, (self.last_day.day_of_year - 1) // 7 + 1)
            yield from _notes_on_events(self.weekly)
            yield from _notes_on_sample(self.admissions)
            yield from _notes_on_refused(self.weekly)
        if self.nurses is not None and self.nurses.empty:
            yield f"{SCHEDULE_FILE.name} has no row whose role is {NURSE!r}: nurses present are not known"


def year_of(arrivals: pd.DataFrame) -> int:
    """The year in which most patients arrived, the first of several."""
    return int(arrivals["date"].dt.year.mode().iloc[0])


def _arrivals(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows of patients.csv that can be read, and a note on the others."""
    dates = pd.to_datetime(rows["arrival_date"], format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
    wrong = dates.isna() | (rows["service"] == "")
    notes = []
    if wrong.any():
        line, count = wrong.idxmax(), int(wrong.sum())
        what = "have no arrival_date such as 2025-03-01, or no service"
        if wrong.mean() > _MOST_UNREADABLE:
            raise DataError(f"{PATIENTS_FILE.name}: {count:,} of {len(rows):,} rows {what}; the first is line {line}")
        notes.append(f"{count:,} of {len(rows):,} rows of {PATIENTS_FILE.name} {what}; the first is line {line}")
    known = rows[~wrong]
    names = known["service"]
    days = dates[~wrong].dt.normalize()
    return pd.DataFrame({"service": names.map(service_id), "name": names, "date": days}), notes


def _weekly(rows: pd.DataFrame, first_day: pd.Timestamp) -> pd.DataFrame:
    found = pd.DataFrame({"service": service_ids(rows, WEEKLY_FILE)})
    found["week"] = whole_numbers(rows, WEEKLY_FILE, "week", 1, _WEEKS)
    found["week_start"] = _week_start(found["week"], first_day)
    found["available_beds"] = whole_numbers(rows, WEEKLY_FILE, "available_beds", 0, _MOST_BEDS)
    for column, name in _COUNTS.items():
        found[name] = whole_numbers(rows, WEEKLY_FILE, column, 0, _MOST_PATIENTS)
    found["event"] = rows["event"].str.lower().replace("", NO_EVENT)
    found = found.drop_duplicates()
    twice = found[found.duplicated(["service", "week"], keep=False)].sort_values(["service", "week"])
    if len(twice):
        first, second = twice.index[:2]
        week, service = twice["week"].iloc[0], twice["service"].iloc[0]
        raise DataError(
            f"{WEEKLY_FILE.name}, lines {first} and {second}: week {week} of {service} appears twice with different "
            "numbers; keep one of them"
        )
    return found.sort_values(["service", "week"], ignore_index=True)


def _nurses(
    schedule: pd.DataFrame, staff: pd.DataFrame | None, weekly: pd.DataFrame | None, first_day: pd.Timestamp
) -> pd.DataFrame:
    """Persons are counted once, whatever the number of their rows in a week."""
    rows = pd.DataFrame(
        {
            "service": service_ids(schedule, SCHEDULE_FILE),
            "week": whole_numbers(schedule, SCHEDULE_FILE, "week", 1, _WEEKS),
            "staff_id": schedule["staff_id"],
            "present": whole_numbers(schedule, SCHEDULE_FILE, "present", 0, 1),
        }
    )[_is_nurse(schedule)]
    on_roll = rows[["service", "week", "staff_id"]]
    if staff is not None:
        listed_ids = pd.DataFrame({"service": service_ids(staff, STAFF_FILE), "staff_id": staff["staff_id"]})
        weeks = on_roll[["service", "week"]].drop_duplicates()
        on_roll = pd.concat([on_roll, weeks.merge(listed_ids[_is_nurse(staff)])])
    keys = ["service", "week"]
    found = on_roll.groupby(keys)["staff_id"].nunique().rename("nurses_on_roll").to_frame()
    present = rows[rows["present"] == 1].groupby(keys)["staff_id"].nunique()
    found.insert(0, "nurses_present", present.reindex(found.index, fill_value=0))
    found = found.reset_index()
    found.insert(2, "week_start", _week_start(found["week"], first_day))
    if weekly is None:
        return found.assign(available_beds=pd.array([pd.NA] * len(found), dtype="Int64"))
    found = found.merge(weekly[[*keys, "available_beds"]], how="left")
    return found.astype({"available_beds": "Int64"})


def _is_nurse(rows: pd.DataFrame) -> pd.Series:
    return rows["role"].str.lower() == NURSE


def _week_start(week: pd.Series, first_day: pd.Timestamp) -> pd.Series:
    return first_day + pd.to_timedelta(7 * (week - 1), unit="D")


def _missing(there: list[FormFile]) -> Iterator[str]:
    effects = {
        WEEKLY_FILE: "beds are unlimited, and refused patients and events are not known",
        STAFF_FILE: f"the nurses on the roll are those of {SCHEDULE_FILE.name}",
        SCHEDULE_FILE: "nurses present are not known",
    }
    if SCHEDULE_FILE not in there:
        del effects[STAFF_FILE]
    for form, effect in effects.items():
        if form not in there:
            yield f"there is no {form.name}: {effect}"


def _notes_on_wards(services: list[str], weekly: pd.DataFrame, last_week: int) -> Iterator[str]:
    """Services that only one of the files has, and weeks up to that of the last arrival without beds."""
    with_beds = set(weekly["service"])
    if unlimited := [name for name in services if name not in with_beds]:
        yield f"{WEEKLY_FILE.name} has no beds of {listed(unlimited)}: beds there are unlimited"
    if empty := sorted(with_beds - set(services)):
        yield f"{PATIENTS_FILE.name} has no patients of {listed(empty)}: the hospital has no such ward"
    weeks = set(range(1, max(weekly["week"].max(), min(last_week, _WEEKS - 1)) + 1))
    gaps: dict[tuple[int, ...], list[str]] = {}
    for service, rows in weekly.groupby("service"):
        if service in services:
            gaps.setdefault(tuple(sorted(weeks - set(rows["week"]))), []).append(str(service))
    for missing, names in gaps.items():
        if missing:
            shown = listed(str(week) for week in missing)
            yield (
                f"{WEEKLY_FILE.name} has no week {shown} of {listed(names)}: the beds of the week before stay, at "
                "first those of the first week"
            )


def _notes_on_events(weekly: pd.DataFrame) -> Iterator[str]:
    if strange := sorted(set(weekly["event"]) - set(KNOWN_EVENTS)):
        yield (
            f"{WEEKLY_FILE.name} has events that the form does not name: {listed(strange)}; each counts as an event "
            "that is known ahead, like a strike"
        )
    if (weekly.groupby("week")["event"].nunique() > 1).any():
        yield (
            f"in some weeks of {WEEKLY_FILE.name} services have different events; each counts for the whole hospital"
        )


def _notes_on_sample(admissions: pd.DataFrame) -> Iterator[str]:
    known = admissions[admissions["admitted"] > 0]
    share = known["in_file"] / known["admitted"]
    if (share < _ALL).any():
        shares = [
            f"{name} {share[name]:.0%} ({row.in_file:,} of {row.admitted:,})"
            for name, row in zip(known.index, known.itertuples(), strict=True)
        ]
        yield (
            f"{PATIENTS_FILE.name} is a sample of the patients whom {WEEKLY_FILE.name} counts as admitted: "
            f"{'; '.join(shares)}; the scenario all_admitted has all of them"
        )
    if more := [name for name in known.index if share[name] > 2 - _ALL]:
        yield f"{PATIENTS_FILE.name} has more patients of {listed(more)} than {WEEKLY_FILE.name} counts as admitted"


def _notes_on_refused(weekly: pd.DataFrame) -> Iterator[str]:
    refused, requests = int(weekly["refused"].sum()), int(weekly["requests"].sum())
    if refused:
        share = refused / max(requests, 1)
        yield (
            f"{refused:,} of {requests:,} requests ({share:.0%}) were refused and are not in {PATIENTS_FILE.name}: "
            "arrivals ahead are those who would be admitted; the scenario all_requests has all"
        )
    differ = int((weekly["requests"] != weekly["admitted"] + weekly["refused"]).sum())
    if differ:
        yield f"in {differ:,} of {len(weekly):,} rows of {WEEKLY_FILE.name} requests are not admitted plus refused"
