"""The rules of the hospital as stories, each with its exact answer. Times are hours."""

from math import inf

import pytest

from kaizar_pipeline.simulation.trajectories import DISCHARGED, DIVERTED, IN_SYSTEM, LEFT, NOT_ARRIVED

pytestmark = pytest.mark.unit


def test_boarders_hold_their_bed_until_the_next_ward_takes_them(play, patient):
    played = play({"ed": 1, "ward": 1}, [patient(t, [("ed", 1), ("ward", 3)]) for t in (1, 2, 3, 4)])
    assert played.admit == [[1, 2], [2, 5], [5, 8], [8, 11]]
    ready = [times[0] for times in played.by_patient(played.stays.ready)]
    assert [left[0] - ended for left, ended in zip(played.depart, ready, strict=True)] == [0, 2, 2, 2]
    assert played.depart[-1][-1] == 14


def test_the_more_urgent_are_served_first_then_those_who_asked_first(play, patient):
    arrivals = [(1, "low"), (1.5, "low"), (2, "low"), (2.5, "high"), (4.5, "high")]
    played = play({"ward": 1}, [patient(t, [("ward", 2)], kind) for t, kind in arrivals])
    assert played.admit == [[1], [7], [9], [3], [5]]


def test_a_ward_may_reverse_the_priorities(play, patient):
    arrivals = [(1, "low"), (1.5, "high"), (2, "low")]
    policies = {"priorities": [{"ward": "ward", "patient_type": "low", "priority": 9}]}
    played = play({"ward": 1}, [patient(t, [("ward", 2)], kind) for t, kind in arrivals], policies=policies)
    assert played.admit == [[1], [5], [3]]


def test_a_bed_closed_for_a_while(play, patient):
    closing = {"from": "2026-01-05T04:12", "to": "2026-01-05T06:06", "capacity": 0}
    played = play(
        {"ward": {"capacity": 1, "capacity_changes": [closing]}}, [patient(t, [("ward", 0.4)]) for t in range(1, 8)]
    )
    assert [stay[0] for stay in played.depart] == [1.4, 2.4, 3.4, 4.4, 6.5, 6.9, 7.4]


def test_weekend_beds(play, patient):
    ward = {"capacity": 1, "weekday_capacity": {"Tue": 2, "Wed": 0}}
    played = play({"ward": ward}, [patient(t, [("ward", 30)]) for t in (1, 2, 3)], days=4)
    # Monday one bed, Tuesday (from 24) two, Wednesday (48 to 72) none: nobody is evicted, the third waits for Thursday
    assert played.admit == [[1], [24], [31]]
    assert play({"ward": ward}, [patient(t, [("ward", 40)]) for t in (1, 2, 3)], days=4).admit == [[1], [24], [41]]
    assert play({"ward": ward}, [patient(t, [("ward", 50)]) for t in (1, 2, 3)], days=4).admit == [[1], [24], [74]]


def test_two_patients_who_wait_for_each_others_bed_exchange(play, patient):
    played = play({"a": 1, "b": 1}, [patient(0, [("a", 2), ("b", 5)]), patient(1, [("b", 3), ("a", 5)])])
    assert played.admit == [[0, 4], [1, 4]]
    assert played.used == [["a", "b"], ["b", "a"]]


def test_three_patients_in_a_cycle_exchange_at_once(play, patient):
    wards = {"a": 1, "b": 1, "c": 1}
    stays = [[("a", 1), ("b", 9)], [("b", 2), ("c", 9)], [("c", 3), ("a", 9)]]
    played = play(wards, [patient(0, of_one) for of_one in stays])
    assert [stays[1] for stays in played.admit] == [3, 3, 3]


def test_the_shortest_cycle_is_exchanged(play, patient):
    # 1 waits in a for b; 2 in b for c; when 3 (in c) asks for b, the cycle b-c closes and leaves 1 waiting
    stays = [[("a", 1), ("b", 2)], [("b", 1.5), ("c", 9)], [("c", 2), ("b", 4)]]
    played = play({"a": 1, "b": 1, "c": 1}, [patient(0, of_one) for of_one in stays])
    assert [stays[1] for stays in played.admit] == [6, 2, 2]


def test_an_exchange_passes_a_more_urgent_patient_who_holds_no_bed(play, patient):
    patients = [
        patient(0, [("a", 2), ("b", 5)]),
        patient(0, [("b", 3), ("a", 5)]),
        patient(1, [("a", 1)], "high"),
    ]
    assert play({"a": 1, "b": 1}, patients).admit == [[0, 3], [0, 3], [8]]


def test_release_frees_the_bed_and_waits_outside(play, patient):
    wards = {"ed": {"capacity": 1, "boarding": "release"}, "ward": 1}
    played = play(wards, [patient(t, [("ed", 1), ("ward", 3)]) for t in (1, 2, 3, 4)])
    assert played.admit == [[1, 2], [2, 5], [3, 8], [4, 11]]


def test_another_stay_in_the_same_ward(play, patient):
    patients = [patient(0, [("ward", 2), ("ward", 2)]), patient(1, [("ward", 3)])]
    assert play({"ward": 1}, patients).admit == [[0, 2], [4]]
    assert play({"ward": {"capacity": 1, "boarding": "release"}}, patients).admit == [[0, 5], [2]]


def test_overflow_takes_the_first_listed_ward_with_a_free_bed(play, patient):
    overflow = [{"ward": "a", "threshold": 1.0, "redirect_to": ["b", "c"]}]
    patients = [patient(t, [("a", 10)]) for t in (0, 1, 2, 3)]
    played = play({"a": 1, "b": 1, "c": 1}, patients, policies={"overflow": overflow})
    assert played.used == [["a"], ["b"], ["c"], ["a"]]
    assert played.admit == [[0], [1], [2], [10]]


def test_arrivals_beyond_the_queue_limit_are_turned_away(play, patient):
    # one bed, one may wait: the third finds one waiting, the fourth comes when the second has got the bed
    wards = {"a": {"capacity": 1, "queue_limit": 1}}
    run = play(wards, [patient(0, [("a", 4)]), patient(1, [("a", 4)]), patient(2, [("a", 4)]), patient(5, [("a", 4)])])
    assert run.status == [DISCHARGED, DISCHARGED, DIVERTED, DISCHARGED]
    assert run.admit == [[0], [4], [inf], [8]]
    assert run.depart[2] == [2]


def test_transfers_wait_beyond_the_queue_limit_and_count(play, patient):
    # nobody from outside may wait for b; the transfer boards in a, and the arrival at 4 finds it waiting
    wards = {"a": 1, "b": {"capacity": 1, "queue_limit": 0}}
    run = play(wards, [patient(0, [("b", 10)]), patient(1, [("a", 2), ("b", 1)]), patient(4, [("b", 1)])])
    assert run.status == [DISCHARGED, DISCHARGED, DIVERTED]
    assert run.admit[1] == [1, 10]


def test_overflow_comes_before_the_queue_limit(play, patient):
    wards = {"a": {"capacity": 1, "queue_limit": 0}, "b": 1}
    overflow = [{"ward": "a", "threshold": 1.0, "redirect_to": ["b"]}]
    run = play(wards, [patient(n, [("a", 10)]) for n in range(3)], policies={"overflow": overflow})
    assert run.used == [["a"], ["b"], [None]]
    assert run.status[2] == DIVERTED


def test_overflow_is_decided_once_and_begins_at_its_threshold(play, patient):
    overflow = [{"ward": "a", "threshold": 0.5, "redirect_to": ["b"]}]
    patients = [patient(0, [("a", 10)]), patient(1, [("a", 10)]), patient(2, [("a", 10)]), patient(3, [("a", 1)])]
    played = play({"a": 2, "b": 1}, patients, policies={"overflow": overflow})
    # at one of two beds the second goes to b; the third finds b full and a free; the fourth waits for a
    assert played.used == [["a"], ["b"], ["a"], ["a"]]
    assert played.admit == [[0], [1], [2], [10]]


def test_overflow_avoids_a_ward_with_a_queue(play, patient):
    overflow = [{"ward": "a", "threshold": 1.0, "redirect_to": ["b"]}]
    patients = [patient(0, [("b", 4)]), patient(0, [("a", 10)]), patient(1, [("b", 4)]), patient(5, [("a", 1)])]
    assert play({"a": 1, "b": 1}, patients, policies={"overflow": overflow}).used[-1] == ["a"]


def test_an_outlier_keeps_the_route_of_the_planned_ward(play, patient):
    overflow = [{"ward": "a", "threshold": 1.0, "redirect_to": ["b"]}]
    patients = [patient(0, [("a", 9)]), patient(1, [("a", 2), ("c", 3)])]
    played = play({"a": 1, "b": 1, "c": 1}, patients, policies={"overflow": overflow})
    assert played.used == [["a"], ["b", "c"]]
    assert played.admit[1] == [1, 3]


def test_an_admission_stop_diverts_listed_types_from_every_ward(play, patient):
    stops = [{"ward": "a", "threshold": 0.5, "stop_types": ["low"]}]
    patients = [patient(0, [("a", 2)]), patient(1, [("b", 2)]), patient(1, [("b", 2)], "high"), patient(2, [("b", 1)])]
    played = play({"a": 2, "b": 9}, patients, policies={"admission_stop": stops})
    assert played.status == [DISCHARGED, DIVERTED, DISCHARGED, DISCHARGED]


def test_an_admission_stop_does_not_stop_transfers(play, patient):
    stops = [{"ward": "b", "threshold": 1.0, "stop_types": ["low"]}]
    patients = [patient(0, [("b", 5)], "high"), patient(0, [("a", 1), ("b", 1)], "high"), patient(2, [("a", 1)])]
    played = play({"a": 2, "b": 1}, patients, policies={"admission_stop": stops})
    assert played.status == [DISCHARGED, DISCHARGED, DIVERTED]
    assert played.admit[1] == [0, 5]


def test_patients_leave_when_their_patience_ends(play, patient):
    patients = [patient(0, [("a", 5)]), patient(1, [("a", 1)], patience=2), patient(1, [("a", 1)], patience=6)]
    played = play({"a": 1}, patients)
    assert played.status == [DISCHARGED, LEFT, DISCHARGED]
    assert played.depart == [[5], [3], [6]]
    assert played.admit[1] == [inf]


def test_a_bed_freed_as_patience_ends_is_taken(play, patient):
    played = play({"a": 1}, [patient(0, [("a", 5)]), patient(1, [("a", 1)], patience=4)])
    assert played.admit == [[0], [5]]


def test_patience_is_for_the_first_ward_only(play, patient):
    patients = [patient(0, [("b", 9)]), patient(0, [("a", 1), ("b", 1)], patience=2)]
    assert play({"a": 1, "b": 1}, patients).status == [DISCHARGED, DISCHARGED]


def test_a_discharge_delay_holds_the_bed(play, patient):
    played = play({"a": 1}, [patient(0, [("a", 2)], delay=3), patient(1, [("a", 1)])])
    assert played.admit == [[0], [5]]
    assert played.by_patient(played.stays.ready)[0] == [2]


def test_at_one_instant_stays_end_before_patients_arrive(play, patient):
    assert play({"a": 1}, [patient(0, [("a", 2)]), patient(2, [("a", 1)])]).admit == [[0], [2]]


def test_at_one_instant_beds_change_before_stays_end(play, patient):
    closing = {"from": "2026-01-05T02:00", "capacity": 0}
    played = play(
        {"a": {"capacity": 1, "capacity_changes": [closing]}}, [patient(0, [("a", 2)]), patient(1, [("a", 1)])]
    )
    assert played.admit == [[0], [inf]]
    assert played.status == [DISCHARGED, IN_SYSTEM]


def test_what_would_happen_as_the_horizon_ends_does_not(play, patient):
    played = play({"a": 1}, [patient(0, [("a", 24)]), patient(24, [("a", 1)])])
    assert played.status == [IN_SYSTEM, NOT_ARRIVED]
    assert played.depart == [[inf], [inf]]


def test_the_census_is_seated_above_the_capacity_too(play, patient):
    census = [patient(0, [("a", hours)], seat="a", census=True) for hours in (1, 2, 3)]
    played = play({"a": 1}, [*census, patient(0.5, [("a", 1)])])
    assert played.admit[-1] == [3]


def test_the_census_waits_in_order_of_its_original_request(play, patient):
    patients = [
        patient(0, [("ed", 0), ("a", 2)], seat="ed", requested=-3, census=True),  # boards, asked first
        patient(0, [("a", 2)], requested=-5, census=True),  # waits without a bed
        patient(0, [("a", 4)], seat="a", census=True),
    ]
    played = play({"ed": 1, "a": 1}, patients)
    assert played.admit == [[-1, 4], [6], [-1]]
    assert played.by_patient(played.stays.request) == [[-1, -3], [-5], [-1]]


def test_requests_made_before_the_start_are_not_redirected(play, patient):
    overflow = [{"ward": "a", "threshold": 1.0, "redirect_to": ["b"]}]
    patients = [
        patient(0, [("a", 4)], seat="a", census=True),
        patient(0, [("a", 1)], requested=-2, census=True),
        patient(1, [("a", 1)]),
    ]
    played = play({"a": 1, "b": 1}, patients, policies={"overflow": overflow})
    assert played.used == [["a"], ["a"], ["b"]]


def test_zero_beds_and_unlimited_beds(play, patient):
    assert play({"a": 0}, [patient(0, [("a", 1)])]).admit == [[inf]]
    assert play({"a": None}, [patient(0, [("a", 1)])] * 50).admit == [[0]] * 50
