"""Data and assumptions under the headings of STRESS-DES (Monks et al. 2019), and the words of the page."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import SyntheticPatients
from kaizar_pipeline.reporting.facts import Facts
from kaizar_pipeline.reporting.numbers import Cells, Day, Hour, Sentence, constant, count, joined, percent
from kaizar_pipeline.reporting.words import Code, Name, labels, scenario_label

Item = tuple[str, Sentence]
"""A heading and what stands under it."""

_FEW = 4
"""Names that are listed although they are all."""

STALE = timedelta(days=1)
"""A newest record of a day further before that of as_of is a warning: a whole day has none."""


def last_record(cells: Cells) -> pd.Timestamp | None:
    """The newest instant in the records, None where there is none."""
    columns = {
        "patients": ("arrival", "departure"),
        "ward_stays": ("request", "admit", "ready", "depart"),
        "planner_report": ("newest_record",),  # of a report that was made before
    }
    found = [cells.rows(table)[column].max() for table, names in columns.items() for column in names]
    known = [at for at in found if pd.notna(at)]
    return max(known) if known else None


def as_of(cells: Cells) -> pd.Timestamp | None:
    """The instant that the report is about."""
    rows = cells.rows("ward_outlook")
    return None if rows.empty else rows["as_of"].iloc[0]


def is_stale(cells: Cells) -> bool:
    """Whether a whole day before that of as_of has no record."""
    at, last = as_of(cells), last_record(cells)
    return at is not None and last is not None and at.normalize() - last.normalize() > STALE


def assumptions(cells: Cells, config: HospitalConfig, facts: Facts) -> list[Item]:
    """Headings of STRESS-DES with what holds for this run."""
    origins = list(_origins(cells, config))
    return [
        ("Objectives", _objectives(cells)),
        ("Logic", _logic(config)),
        ("Data", _data(cells, config)),
        ("Learned", _in_use(config, origins, learned=True)),
        ("Configured", _in_use(config, origins, learned=False)),
        ("Experimentation", _experimentation(cells, config, facts)),
        ("Implementation", _implementation(config, facts)),
        ("Code access", _code(facts)),
    ]


def _names(config: HospitalConfig, ids: Iterable[str]) -> Sentence:
    known, ids = labels(config), list(ids)
    for every, what in ((config.ward_ids, "wards"), ([stream.id for stream in config.arrival_streams], "streams")):
        if len(ids) > _FEW and set(ids) == set(every):
            return Sentence(f"all {what}")
    return joined([Sentence("{n}", n=Name(known.get(one, one.replace("_", " ")))) for one in ids], ", ")


def _objectives(cells: Cells) -> Sentence:
    scenarios = list(dict.fromkeys(cells.rows("scenario_comparison")["scenario"]))
    compared = joined([Sentence("{s}", s=Name(scenario_label(name))) for name in scenarios], ", ")
    first = Sentence("How full each ward will be, how sure that is, and how many beds are enough.")
    return joined([first, Sentence("Compared are: {all}.", all=compared)]) if scenarios else first


def _logic(config: HospitalConfig) -> Sentence:
    rules = [
        Sentence(
            "Patients arrive in streams ({streams}), ask for a bed, wait for it by priority and order of request, stay,"
            " and move on or go home.",
            streams=_names(config, (stream.id for stream in config.arrival_streams)),
        )
    ]
    rules += [
        Sentence(
            "Patients for {ward} go to {others} while it is full.",
            ward=_names(config, [rule.ward]),
            others=_names(config, rule.redirect_to),
        )
        for rule in config.policies.overflow
    ]
    rules += [
        Sentence(
            "Arrivals of {types} are turned away while {ward} is nearly full.",
            types=_names(config, stop.stop_types),
            ward=_names(config, [stop.ward]),
        )
        for stop in config.policies.admission_stop
    ]
    return joined(rules)


def _data(cells: Cells, config: HospitalConfig) -> Sentence:
    first, last = cells.rows("patients")["arrival"].min(), last_record(cells)
    source = "A synthetic history" if isinstance(config.patients, SyntheticPatients) else "Records of the hospital"
    if last is None or pd.isna(first):
        return Sentence(f"{source}, without any patient yet.")
    return Sentence(
        f"{source}: {{n}} patients from {{first}} on, the newest record of {{last}}; {{rejects}} rows set aside."
        " Local time, {zone}.",
        n=cells.size("patients"),
        first=Day(first, year=True),
        last=Hour(last),
        rejects=cells.size("patient_rejects"),
        zone=Code(config.hospital.timezone),
    )


_Origins = list[tuple[str, dict[str, bool]]]
"""Topics, with whether what is in use was learned, by ward or stream."""


def _in_use(config: HospitalConfig, origins: _Origins, learned: bool) -> Sentence:
    """What was learned from the history, or what the hospital's file gives, topic by topic."""
    found = []
    for what, was_learned in origins:
        if names := [one for one, is_so in was_learned.items() if is_so == learned]:
            found.append(Sentence(f"{what}: {{names}}", names=_names(config, names)))
    return Sentence("{all}.", all=joined(found, "; ")) if found else Sentence("Nothing.")


def _origins(cells: Cells, config: HospitalConfig) -> Iterator[tuple[str, dict[str, bool]]]:
    yield "arrivals", {stream.id: stream.is_forecast for stream in config.arrival_streams}
    topics = (
        ("hours of arrival", "arrival_profile", "stream_id", "source"),
        ("lengths of stay", "length_of_stay", "ward_id", "origin"),
        ("routes", "routes", "ward_id", "origin"),
        ("hours of leaving", "discharge_clocks", "ward_id", "origin"),
        ("good and bad days for leaving", "day_factors", "ward_id", "origin"),
    )
    for what, table, column, origin in topics:
        rows = cells.rows(table)
        rows = rows[rows["in_use"]] if "in_use" in rows else rows
        rows = rows[[column, origin]].drop_duplicates()
        rows = rows[~rows[origin].isin(["flat", "none"])]
        learned = rows[origin] != "configured"
        of = learned.groupby(rows[column], sort=False).any()
        yield what, {str(one): bool(is_so) for one, is_so in of.items()}


def _experimentation(cells: Cells, config: HospitalConfig, facts: Facts) -> Sentence:
    if "simulation_precision" not in cells:
        return Sentence("Nothing has been simulated yet.")
    last = cells.rows("ward_days")["date"].max()
    start = (
        "from the patients in bed at the snapshot" if config.simulation.start == "census" else "from an empty hospital"
    )
    made = Sentence(
        f"{{n}} simulations {start} to {{last}}, all plans with the same patients; seed {{seed}}.",
        n=cells.number("simulation_precision", "replications", "mean_census"),
        last=Day(last) if pd.notna(last) else "–",
        seed=Code(str(facts.seed)),
    )
    if cells.value("simulation_precision", "half_width", "prob_full_hour") is None:
        return made
    error = cells.number("simulation_precision", "half_width", "prob_full_hour", shown=percent)
    return joined([made, Sentence("Their number leaves chances of an hour uncertain by {e} at most.", e=error)])


def _implementation(config: HospitalConfig, facts: Facts) -> Sentence:
    versions = joined(
        [Sentence("{name} {of}", name=Name(name), of=Code(of)) for name, of in facts.versions.items()], ", "
    )
    time = Sentence("Run {run}", run=Code(facts.run_id[:8]))
    if facts.seconds is not None:
        time = Sentence("Run {run} took {s}", run=Code(facts.run_id[:8]), s=Code(f"{facts.seconds:.0f} s"))
    return joined(
        [
            Sentence(f"A discrete-event simulation of single patients, engine {config.simulation.engine}."),
            Sentence("{time}; settings {hash}.", time=time, hash=Code(facts.config_hash[:8])),
            Sentence("{all}.", all=versions) if facts.versions else Sentence(""),
        ]
    )


def _code(facts: Facts) -> Sentence:
    return Sentence("Open source, package {name}, licence {of}.", name=Code("kaizar-pipeline"), of=Code("Apache-2.0"))


def glossary() -> list[Item]:
    """The words of the page."""
    return [
        ("Staffed beds", Sentence("Beds with staff, not beds in the building.")),
        ("Full", Sentence("Every staffed bed is taken, at some hour of the day; counted on the hour.")),
        (
            "Very unlikely, unlikely, about even, likely, very likely",
            Sentence(
                "Chances below {a}, {b}, {c}, {d}, and from there on; one that its error does not tell from a half is"
                " about even.",
                a=constant("very_unlikely_below"),
                b=constant("unlikely_below"),
                c=constant("about_even_below"),
                d=constant("likely_below"),
            ),
        ),
        ("Simulation", Sentence("One simulated course of the days ahead. Chances are shares of all simulations.")),
        ("Demand", Sentence("Patients who would be in bed if beds had no limit.")),
        (
            "Range",
            Sentence("Holds in {interval} of simulations: as often below as above it.", interval=constant("interval")),
        ),
        ("Hinges on", Sentence("What most of the uncertainty of the next days comes from.")),
        (
            "Harm",
            Sentence(
                "Hours of waiting, and {day} hours for each patient turned away or leaving unseen.",
                day=constant("harm_hours", count),
            ),
        ),
        (
            "Average miss",
            Sentence("How far forecasts were from what was observed, their spread included (CRPS). Smaller is better."),
        ),
        (
            "Simple methods",
            Sentence("Forecasts without any model, such as the weekday's mean: a model has to beat them."),
        ),
    ]
