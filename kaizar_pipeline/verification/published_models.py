"""Models of others: what they published of them, by theory or by a simulation of their own."""

from math import sqrt

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.files import load_hospital_config, shipped
from kaizar_pipeline.config.hospital import Constant
from kaizar_pipeline.verification.queueing import erlang_b
from kaizar_pipeline.verification.small_hospitals import (
    average,
    census_mean,
    daily,
    delay_with,
    make_hospital,
    make_stay,
    make_stop,
    make_ward,
)
from kaizar_pipeline.verification.verify import Case, Quantity


def published() -> list[Case]:
    """All models of others."""
    return [_stroke_services(), *(_critical_care(beds) for beds in CANCELLED)]


def _stroke_services(days: int = 800, warmup_days: int = 800) -> Case:
    # the paper's numbers once more, so that the shipped file is checked too
    acute = (0.24 * 7.4 + 0.13 * 4.6 + 0.63 * 7.0) / 1.2 + 1.8 / 9.3 + 4.0 / 3.6 + 3.8 / 3.2
    stroke = (1 / 21.8 + 0.24 / 1.2) * (0.4 * 30.3 + 0.6 * 28.4)
    neuro, other = (1 / 31.7 + 0.11 / 3.6) * 27.6, (1 / 28.6 + 0.05 / 3.2) * 16.1
    rehab = stroke + 0.01 / 9.3 * 18.7 + neuro + other
    config = load_hospital_config(shipped("hospital_configs/stroke_2016.yml"))
    per_day = [stream.model.mean_per_day for stream in config.arrival_streams if isinstance(stream.model, Constant)]
    delays = (Quantity(f"P(delay) with {n} acute beds", erlang_b(n, acute), delay_with(n)) for n in range(10, 15))
    return Case(
        "Stroke services, hospital_configs/stroke_2016.yml",
        "Monks et al. 2016, BMC Health Serv Res 16:530 (every census is Poisson)",
        daily(config, [[rate] * days for rate in per_day], warmup_days),
        (
            Quantity("mean census, acute unit", acute, census_mean()),
            Quantity("mean census, rehabilitation", rehab, census_mean(1)),
            *delays,
        ),
        replications=10,
    )


UNPLANNED = {
    "emergency_department": (22.72, 128.79, 267.51),
    "inpatient_ward": (26.0, 177.89, 276.54),
    "emergency_surgery": (37.0, 140.15, 218.02),
    "other_hospital": (47.2, 212.86, 457.67),
    "x_ray": (575.0, 87.53, 108.67),
}
"""Hours between arrivals, mean and standard deviation of the stay, by origin."""

ELECTIVE = (17.91, 57.34)
"""Hours between arrivals (theirs are Normal, with a standard deviation of 3.16) and mean of the exponential stay."""

REPLICATIONS = 100
"""Replications of the published simulation."""

CANCELLED = {
    23: (347.53, 71.56),
    24: (294.91, 73.63),
    25: (242.11, 69.43),
    26: (194.27, 63.36),
    27: (152.48, 56.73),
    28: (117.92, 49.52),
}
"""Cancelled electives in 360 days by beds, as published: mean and standard deviation over the replications."""


def _critical_care(beds: int, days: int = 360, warmup_days: int = 30, cleaning: float = 5) -> Case:
    unplanned = {name: make_stay(mean, sd) for name, (_, mean, sd) in UNPLANNED.items()}
    stays = [{"patient_type": name, "los_model": stay} for name, stay in unplanned.items()]
    unit = make_ward(beds, make_stay(ELECTIVE[1])) | {"los_by": stays, "discharge_delay": make_stay(cleaning, sd=0)}
    gaps = {name: gap for name, (gap, *_) in UNPLANNED.items()} | {"elective": ELECTIVE[0]}
    models = {name: {"type": "constant", "mean_per_day": 0} for name in UNPLANNED}  # the plan gets the rates
    models["elective"] = {"type": "schedule", "pattern": "Mon,Tue,Wed,Thu,Fri,Sat,Sun", "mean_per_day": 0}
    hospital = make_hospital(
        [unit],
        [{"id": name} for name in gaps],
        arrival_streams=[
            {"id": name, "target_ward": unit["id"], "patient_type": name, "model": models[name]} for name in gaps
        ],
        policies={"admission_stop": [make_stop(1.0, "elective")]},
    )
    mean, sd = CANCELLED[beds]
    cancelled = average("turned_away", patient_type=list(gaps).index("elective"))
    return Case(
        f"Critical care unit of {beds} beds",
        "Griffiths, Jones, Read, Williams 2010, J Simulation 4:52-59, as simulated by Monks, Harper, Heather 2025, "
        "doi:10.1080/01605682.2025.2554751, pythonhealthdatascience/llm_simpy (its electives come "
        "at Normal gaps of mean 17.91 hours, here 1.34 a day; its random numbers are the same whatever the beds)",
        daily(hospital, [[HOURS_PER_DAY / gap] * days for gap in gaps.values()], warmup_days),
        (Quantity("electives cancelled in 360 days", mean, cancelled, theory_error=sd / sqrt(REPLICATIONS)),),
        replications=12,
    )
