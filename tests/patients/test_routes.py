"""Where patients go after a ward: exact stories, laws, and the truth behind records that are cut off."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_extracts import make_hospital

from kaizar_pipeline.patients.routes import chosen_weight, route_differences, routes_taken, shrunk
from kaizar_pipeline.stats.absorption import VISITS_AT_MOST, visits_until_home

pytestmark = pytest.mark.unit

AS_OF = pd.Timestamp("2024-06-01").as_unit("us")
MOVES = {"path": "moves.csv", "columns": {"patient_id": "id", "ward": "ward", "admit": "in", "depart": "out"}}
LEARNING = make_hospital(routing="from_data", stays=MOVES)

Stay = tuple[str, float, float | None, str | None]
"""Ward, hours between admission and as_of, hours spent there (None: still there), and where the patient went."""


def history(*patients: Sequence[Stay], kind: str = "acute", known: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [
        {"patient_id": f"{kind}{p}", "ward_id": ward, "planned_ward_id": ward, "next_ward_id": to,
         "admit": AS_OF - pd.Timedelta(hours=ago),
         "ready": pd.NaT if spent is None else AS_OF - pd.Timedelta(hours=ago - spent)}
        for p, stays in enumerate(patients)
        for ward, ago, spent, to in stays
    ]  # fmt: skip
    stays = pd.DataFrame(rows).astype({"admit": "datetime64[us]", "ready": "datetime64[us]", "next_ward_id": "str"})
    ids = [f"{kind}{p}" for p in range(len(patients))]
    frame = pd.DataFrame({"patient_id": ids, "stream_id": "emergency", "patient_type": kind, "departure_known": known})
    return (
        frame.assign(resolution="second", as_of=AS_OF),
        stays.assign(depart=stays["ready"], whole_stay=False),
    )


def together(*histories: tuple[pd.DataFrame, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    patients, stays = (pd.concat(parts, ignore_index=True) for parts in zip(*histories, strict=True))
    return patients, stays


def learned(patients: pd.DataFrame, stays: pd.DataFrame, ward: str = "ed", kind: str = "acute") -> dict[str, float]:
    """Probability by next ward."""
    table = routes_taken(patients, stays, LEARNING)
    rows = table[(table["ward_id"] == ward) & (table["patient_type"] == kind)]
    return dict(zip(rows["next_ward_id"], rows["probability"], strict=True))


def left(hours: float, to: str, ward: str = "ed") -> list[Stay]:
    """A patient who came a thousand hours ago and left after so many."""
    return [(ward, 1000.0, hours, to)]


def test_shares_are_counted_with_half_a_patient_who_goes_home():
    found = routes_taken(*history(*[left(5, "bed")] * 3, *[left(5, "_home")] * 7), LEARNING)
    rows = found[(found["ward_id"] == "ed") & (found["patient_type"] == "acute")].set_index("next_ward_id")
    assert rows["probability"].to_dict() == pytest.approx({"bed": 3 / 10.5, "_home": 7.5 / 10.5})
    assert rows["n"].to_dict() == {"bed": 3, "_home": 7}
    assert rows["weight"].tolist() == [10.5, 10.5]
    assert rows["per_day"]["bed"] == pytest.approx(3 / (1000 / 24))
    assert rows["in_use"].all()


def test_an_open_stay_counts_for_what_is_still_possible():
    # whoever stayed on beyond 10 hours goes home: two of three do
    found = learned(*history(left(10, "bed"), left(20, "_home"), [("ed", 15.0, None, None)]))
    assert found == pytest.approx({"bed": (2 / 3) / 2.5, "_home": (4 / 3 + 0.5) / 2.5})


def test_a_route_after_longer_stays_is_not_taken_for_a_rare_one():
    # of patients who came in the last 20 days 30 % go on, after ten days on average; others go home after one
    random = np.random.default_rng(5)
    n, true = 6000, 0.3
    ago, onward = random.uniform(0, 480, n), random.random(n) < true
    hours = random.exponential(np.where(onward, 240.0, 24.0))
    over = hours < ago
    patients = [
        [("ed", a, h if done else None, ("bed" if on else "_home") if done else None)]
        for a, h, on, done in zip(ago, hours, onward, over, strict=True)
    ]
    naive = (onward & over).sum() / over.sum()
    assert naive < 0.23
    assert learned(*history(*patients))["bed"] == pytest.approx(true, abs=3 * np.sqrt(true / over.sum()) + 0.01)


def test_a_type_without_stays_goes_the_way_of_the_others():
    given = history(*[left(5, "bed")] * 40, *[left(5, "_home")] * 60)
    assert learned(*given, kind="planned") == pytest.approx({"bed": 40.5 / 101, "_home": 60.5 / 101})


def test_a_ward_without_stays_leads_home():
    table = routes_taken(*history(left(5, "_home")), LEARNING)
    assert table.loc[table["ward_id"] == "bed", "next_ward_id"].tolist() == ["_home", "_home"]


def test_who_left_at_an_unknown_time_went_home_from_the_last_ward():
    gone = history(*[[("ed", 1000.0, 5.0, "bed"), ("bed", 995.0, 9.0, None)]] * 8, known=False)
    assert learned(*gone, ward="bed") == {"_home": 1.0}


def test_a_route_seen_once_is_a_rare_one():
    found = routes_taken(*history(left(5, "bed"), *[left(5, "_home")] * 199), LEARNING)
    rows = found[(found["ward_id"] == "ed") & (found["patient_type"] == "acute")].set_index("next_ward_id")
    assert rows["probability"]["bed"] == pytest.approx(1 / 200.5)
    assert rows["n"]["bed"] == 1


def test_patients_who_were_never_seen_to_leave_get_home_all_the_same():
    # in and out of two wards, fifty times, and still there
    to = {"ed": "bed", "bed": "ed"}
    stays: list[Stay] = [(ward, 1000.0 - 10 * k, 10.0, to[ward]) for k, ward in enumerate(["ed", "bed"] * 25)]
    table = routes_taken(*history([*stays, ("ed", 500.0, None, None)]), LEARNING)
    share = table[table["patient_type"] == "acute"].set_index(["ward_id", "next_ward_id"])["probability"]
    onward = np.array([[0, share["ed", "bed"]], [share["bed", "ed"], 0]])
    assert (visits_until_home(onward) <= VISITS_AT_MOST).all()
    assert share["ed", "_home"] == pytest.approx((0.5 + 0.1 * 25.5 - 0.05) / 25.5)


def test_old_stays_and_whole_stays_say_nothing():
    old = history([("ed", 105 * 7 * 24.0, 5.0, "bed")], left(5, "_home"))
    assert learned(*old) == {"_home": 1.0}
    patients, stays = history(left(5, "_home"))
    configured = routes_taken(patients, stays.assign(whole_stay=True), make_hospital(stays=MOVES))
    assert set(configured["origin"]) == {"configured"}


def test_given_routes_are_in_use_and_the_others_beside_them():
    rows = [{"from_ward": "ed", "patient_type": "acute", "options": [{"to_ward": "bed", "probability": 0.25}]}]
    given = history(left(5, "bed"), left(5, "_home"))
    hospital = make_hospital(routing=rows, stays=MOVES)
    table = routes_taken(*given, hospital)
    used = table[table["in_use"]]
    assert set(used["origin"]) == {"configured"}
    shares = used.set_index(["ward_id", "patient_type", "next_ward_id"])["probability"].to_dict()
    assert shares == {
        ("ed", "acute", "bed"): 0.25, ("ed", "acute", "_home"): 0.75, ("ed", "planned", "_home"): 1.0,
        ("bed", "acute", "_home"): 1.0, ("bed", "planned", "_home"): 1.0,
    }  # fmt: skip
    assert routes_taken(*given, hospital, fit_all=False).equals(used.reset_index(drop=True))


counts = arrays(np.float64, (3, 4), elements=st.integers(0, 50).map(float))


@given(counts=counts, weight=st.sampled_from([1.0, 16.0, 4096.0]))
@settings(max_examples=200, deadline=None)
def test_nobody_is_kept_from_home_and_own_stays_count_in_full(counts: np.ndarray, weight: float):
    stays = shrunk(counts, weight)
    assert (stays >= counts).all()
    assert (stays[:, -1] > 0).all()
    assert (stays.sum(axis=1) <= np.maximum(counts.sum() + 1e-6, 0.5 + counts.sum(axis=1))).all()


def test_types_that_go_alike_are_pooled_and_others_are_not():
    random = np.random.default_rng(2)
    alike = [random.multinomial(60, [0.2, 0.3, 0.5], 4).astype(float) for _ in range(5)]
    apart = [random.multinomial(60, random.dirichlet([0.5] * 3)).astype(float) for _ in range(20)]
    assert chosen_weight(alike) >= 64
    assert chosen_weight([np.array(apart[:4]), np.array(apart[4:])]) <= 4


class TestRouteDifferences:
    """Configured routes beside those that patients took."""

    @staticmethod
    def told(patients: pd.DataFrame, stays: pd.DataFrame, probability: float | None = None) -> list[str]:
        rows = [{"from_ward": "ed", "options": [{"to_ward": "bed", "probability": probability}]}] if probability else ()
        return route_differences(routes_taken(patients, stays, make_hospital(routing=rows, stays=MOVES)))

    def test_a_missing_route_is_named_with_its_patients_a_day(self):
        given = history(*[left(5, "bed")] * 750, *[left(5, "_home")] * 10)
        assert self.told(*given) == ["18 patients a day go from ed to bed, routing has no such route"]

    def test_a_few_patients_are_no_missing_route(self):
        assert self.told(*history(*[left(5, "bed")] * 4, *[left(5, "_home")] * 500)) == []

    def test_another_probability_is_told(self):
        given = history(*[left(5, "bed")] * 60, *[left(5, "_home")] * 40)
        assert self.told(*given, probability=0.3) == [
            "ward ed, patient type acute, next ward _home: configured 70.0%, observed 40.0% of 100 completed stays",
            "ward ed, patient type acute, next ward bed: configured 30.0%, observed 60.0% of 100 completed stays",
        ]
        assert self.told(*given, probability=0.58) == []

    def test_chance_is_not_told(self):
        assert self.told(*history(*[left(5, "bed")] * 8, *[left(5, "_home")] * 14), probability=0.5) == []

    def test_learned_routes_are_not_compared(self):
        assert route_differences(routes_taken(*history(left(5, "bed")), LEARNING)) == []
