"""Which as_of a history has, and the library chain patients -> arrivals -> lengths of stay on a real log."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import ConfigError, DataError
from kaizar_pipeline.history.loading import History, load_history, load_patients, open_history
from kaizar_pipeline.patients.daily_arrivals import arrivals_per_day
from kaizar_pipeline.patients.length_of_stay import lengths_of_stay
from kaizar_pipeline.patients.records import open_records

TEXT = "id,came,went,unit\n1,2024-06-01 08:00,2024-06-02 09:00,acute\n2,2024-06-03 08:00,,acute\n"


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv("KAIZAR_AS_OF", raising=False)
    (tmp_path / "extract.csv").write_text(TEXT, encoding="utf-8")
    return tmp_path


@pytest.mark.unit
@pytest.mark.parametrize("as_of", [date(2024, 6, 2), "2024-06-02", "2024-06-02T00:00:00", pd.Timestamp("2024-06-02")])
def test_as_of_is_a_date_or_its_text(hospital, home, as_of):
    history = load_history(hospital(), home, as_of)
    assert history.as_of == pd.Timestamp("2024-06-02")
    assert len(history.patients) == 1
    assert (history.patients["as_of"] == history.as_of).all()


@pytest.mark.unit
def test_the_argument_comes_before_the_environment(hospital, home, monkeypatch):
    monkeypatch.setenv("KAIZAR_AS_OF", "2024-06-02")
    assert load_history(hospital(), home).as_of == pd.Timestamp("2024-06-02")
    assert load_history(hospital(), home, "2024-06-05").as_of == pd.Timestamp("2024-06-05")


@pytest.mark.unit
@pytest.mark.parametrize("as_of", ["yesterday", "2024-02-30", "2024-06-02 10:30", "2024-06-02T00:00:00Z"])
def test_an_as_of_that_is_no_full_hour_is_refused(hospital, home, monkeypatch, as_of):
    with pytest.raises(ConfigError, match=r"as_of: .*give"):
        load_history(hospital(), home, as_of)
    monkeypatch.setenv("KAIZAR_AS_OF", as_of)
    with pytest.raises(ConfigError, match="KAIZAR_AS_OF: "):
        load_history(hospital(), home)


@pytest.mark.unit
def test_an_old_extract_gives_a_warning(hospital, home, caplog):
    with caplog.at_level(logging.WARNING):
        history = load_history(hospital(max_age_days=3), home)
    assert history.as_of == pd.Timestamp("2024-06-03")
    assert history.days_behind > 3
    assert "more than max_age_days (3): the forecast is stale" in caplog.text
    caplog.clear()
    load_history(hospital(max_age_days=100_000), home)
    assert not caplog.records


MOVES = """\
id,where,in,out
1,A&E,2024-06-01 08:00,2024-06-01 20:00
1,Bay,2024-06-01 20:00,2024-06-02 09:00
2,A&E,2024-06-03 08:00,2024-06-03 10:00
2,Attic,2024-06-03 10:00,2024-06-03 11:00
2,Bay,2024-06-03 10:00,
"""
STAYS = {
    "path": "moves.csv",
    "columns": {"patient_id": "id", "ward": "where", "admit": "in", "depart": "out"},
    "wards": {"A&E": "ed", "Bay": "bed"},
}


def assert_same(found: History, expected: History) -> None:
    for name, value in vars(expected).items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(getattr(found, name), value)
        else:
            assert getattr(found, name) == value, name


@pytest.mark.unit
@pytest.mark.parametrize("stays", [None, STAYS], ids=["whole stays", "ward stays"])
def test_an_extract_that_is_read_once_knows_at_each_as_of_what_it_knows_alone(hospital, home, stays):
    (home / "moves.csv").write_text(MOVES, encoding="utf-8")
    with (home / "extract.csv").open("a", encoding="utf-8") as extract:
        extract.write("2,2024-06-03 08:00,,acute\n3,2024-06-04 08:00,2024-06-01 08:00,acute\n4,never,,acute\n")
    config = hospital(stays=stays)
    origins = ["2024-06-05", "2024-06-02", None, "2024-06-05", "2024-06-03"]
    alone = [load_history(config, home, origin) for origin in origins]
    assert any(len(history.patient_rejects) for history in alone)
    assert any(history.warnings for history in alone)
    with open_history(config, home) as history_at:
        with pytest.raises(DataError, match="nothing before as_of"):
            history_at("2024-05-01")
        for origin, expected in zip(origins, alone, strict=True):
            assert_same(history_at(origin), expected)
            for name in ("extract.csv", "moves.csv"):  # neither is read again
                (home / name).unlink(missing_ok=True)


@pytest.mark.unit
def test_an_extract_that_changes_while_it_is_read_is_told(hospital, home):
    note = '1,2024-06-01 08:00,"2024\n-06",acute\n'  # of two lines, so that line numbers need the file again
    (home / "extract.csv").write_text(TEXT + note, encoding="utf-8")
    with open_history(hospital(), home) as history_at:
        assert history_at("2024-06-05").patient_rejects["row"].tolist() == [4]
        (home / "extract.csv").write_text(TEXT, encoding="utf-8")
        with pytest.raises(DataError, match=r"extract\.csv: changed while it was read; run again"):
            history_at("2024-06-02")


@pytest.mark.unit
def test_several_threads_may_ask_at_once(hospital, home):
    origins = ["2024-06-02", "2024-06-05"] * 10
    alone = {origin: load_history(hospital(), home, origin) for origin in set(origins)}
    with open_history(hospital(), home) as history_at, ThreadPoolExecutor(4) as pool:
        for origin, found in zip(origins, pool.map(history_at, origins), strict=True):
            assert_same(found, alone[origin])


@pytest.mark.unit
def test_as_of_before_all_data_names_their_span(hospital, home):
    with pytest.raises(DataError, match="arrivals run from 2024-06-01 to 2024-06-03"):
        load_patients(hospital(), home, "2020-01-01")


@pytest.mark.unit
def test_as_of_after_all_data_names_the_latest_possible(hospital, home):
    with pytest.raises(
        DataError, match=r"as_of 2024-06-12 lies beyond the data: .* of 2024-06-03; .* up to 2024-06-11"
    ):
        load_patients(hospital(), home, "2024-06-12")
    assert len(load_patients(hospital(), home, "2024-06-11")) == 2
    with pytest.raises(DataError, match="up to 2024-06-05"):
        load_patients(hospital(complete_through="2024-06-04"), home, "2024-06-06")


def data_folder() -> Path:
    return Path(os.environ.get("KAIZAR_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


@pytest.fixture
def sepsis() -> HospitalConfig:
    """The sepsis log: arrivals of one emergency department, a quarter of the releases is missing."""
    log = data_folder() / "sepsis_log.csv"
    if not log.exists():
        pytest.skip(f"{log} is not there; set KAIZAR_TEST_DATA to the folder that holds sepsis_log.csv")
    return HospitalConfig.model_validate(
        {
            "id": "sepsis",
            "hospital": {"name": "Sepsis log", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {
                "source": "csv",
                "path": str(log.resolve()),
                "columns": {"patient_id": "case_id", "arrival": "arrival", "departure": "release"},
                "missing_departure": "unknown",
                "max_age_days": None,
                "pseudonym_key": "test",
            },
            "wards": ({"id": "ward", "capacity": 30, "los_model": {"type": "from_data"}},),
            "patient_types": ({"id": "sepsis"},),
            "arrival_streams": (
                {"id": "sepsis", "target_ward": "ward", "patient_type": "sepsis", "model": {"type": "ml_poisson"}},
            ),
            "simulation": {"start": "empty"},
        }
    )


@pytest.mark.integration
def test_a_real_log_becomes_patients_arrivals_and_lengths_of_stay(sepsis, tmp_path):
    history = load_history(sepsis, tmp_path, "2015-02-27")
    assert len(history.patients) == 1049
    assert history.patient_rejects.empty
    assert set(history.patients["resolution"]) == {"second"}
    assert history.patients["departure_known"].sum() == history.patients["departure"].notna().sum() <= 781

    daily = arrivals_per_day(history.patients, sepsis)
    assert daily["arrivals"].sum() == 1049
    assert (daily["date"].min(), daily["date"].max()) == (pd.Timestamp("2013-11-07"), pd.Timestamp("2015-02-26"))
    assert len(daily) == 477
    assert not daily["demand_observed"].any()

    lengths = lengths_of_stay(history.patients, history.ward_stays, sepsis)
    fitted = lengths[lengths["patient_type"] == "_all"].iloc[0].to_dict()
    known = history.patients.dropna(subset="departure")
    assert (fitted["n"], fitted["n_censored"]) == (len(known), 0)  # the others are unknown
    assert fitted["mean_hours"] == pytest.approx(
        (known["departure"] - known["arrival"]).dt.total_seconds().mean() / 3600, rel=0.02
    )
    assert lengths.set_index("patient_type")["in_use"].to_dict() == {"_all": False, "sepsis": True}


HOURLY = """\
id,came,went,unit
1,2024-06-01 07:00,2024-06-01 20:00,acute
2,2024-06-02 07:59,2024-06-02 08:00,acute
3,2024-06-02 08:00,,acute
4,2024-06-02 09:30,,acute
"""


def at_eight(hospital, **patients) -> HospitalConfig:
    config = hospital(**patients)
    return config.model_copy(update={"simulation": config.simulation.model_copy(update={"snapshot": "08:00"})})


@pytest.mark.unit
def test_nothing_at_or_after_eight_is_known_at_eight(hospital, home):
    (home / "extract.csv").write_text(HOURLY, encoding="utf-8")
    config = at_eight(hospital)
    history = load_history(config, home, "2024-06-02")
    assert history.as_of == pd.Timestamp("2024-06-02 08:00")
    seen = history.patients.sort_values("arrival")
    assert seen["arrival"].tolist() == [pd.Timestamp("2024-06-01 07:00"), pd.Timestamp("2024-06-02 07:59")]
    assert seen["departure"].isna().tolist() == [False, True]  # who leaves at 8:00 is still there
    assert history.left_out == 2
    arrivals = arrivals_per_day(history.patients, config)
    assert arrivals["date"].unique().tolist() == [pd.Timestamp("2024-06-01")]  # complete days only
    lines = HOURLY.splitlines(keepends=True)
    (home / "extract.csv").write_text("".join(lines[:2]) + "2,2024-06-02 07:59,,acute\n", encoding="utf-8")
    cut = load_history(config, home, "2024-06-02")
    for name in ("patients", "ward_stays"):
        pd.testing.assert_frame_equal(getattr(cut, name), getattr(history, name))


@pytest.mark.unit
def test_by_default_an_extract_is_read_up_to_the_last_snapshot_that_its_arrivals_reach(hospital, home):
    (home / "extract.csv").write_text(HOURLY, encoding="utf-8")
    assert load_history(at_eight(hospital), home).as_of == pd.Timestamp("2024-06-02 08:00")
    # nobody came at or after 8:00: whether all who came before are there is not known
    (home / "extract.csv").write_text("".join(HOURLY.splitlines(keepends=True)[:3]), encoding="utf-8")
    assert load_history(at_eight(hospital), home).as_of == pd.Timestamp("2024-06-01 08:00")
    complete = at_eight(hospital, complete_through="2024-06-02")
    assert load_history(complete, home).as_of == pd.Timestamp("2024-06-02 08:00")


@pytest.mark.unit
@pytest.mark.parametrize(
    ("now", "as_of", "warned"),
    [("06-02 08:05", "06-01 08:00", True), ("06-03 07:59", "06-01 08:00", True), ("06-03 08:05", "06-01 08:00", False)],
)
def test_a_snapshot_that_the_arrivals_just_miss_is_warned_of(hospital, home, now, as_of, warned):
    (home / "extract.csv").write_text("".join(HOURLY.splitlines(keepends=True)[:3]), encoding="utf-8")
    with open_records(at_eight(hospital), home, pd.Timestamp(f"2024-{now}")) as records_at:
        found = records_at(None)
        assert records_at(pd.Timestamp("2024-06-02 08:00")).warnings == ()
    assert found.as_of == pd.Timestamp(f"2024-{as_of}")
    what = (
        "the last arrival is of 2024-06-02 07:59, so the run looks ahead from 2024-06-01 08:00; if the extract was "
        "made at 2024-06-02 08:00 or later, give as_of 2024-06-02T08:00"
    )
    assert (what in found.warnings) is warned


@pytest.mark.unit
def test_an_extract_without_times_has_no_eight_oclock(hospital, home):
    by_day = "id,came,went,unit\n1,2024-06-01,2024-06-02,acute\n2,2024-06-03,,acute\n"
    (home / "extract.csv").write_text(by_day, encoding="utf-8")
    assert len(load_history(hospital(), home, "2024-06-03").patients) == 1
    with pytest.raises(
        DataError, match=r"100% of the arrivals have no time of day, .* at 08:00; set simulation.snapshot"
    ):
        load_history(at_eight(hospital), home, "2024-06-03")
    by_day = "id,came,went,unit\n1,2024-06-01 09:00,2024-06-02,acute\n2,2024-06-03 07:00,,acute\n"
    (home / "extract.csv").write_text(by_day, encoding="utf-8")
    with pytest.raises(DataError, match="100% of the departures have no time of day"):
        load_history(at_eight(hospital), home, "2024-06-03")


@pytest.mark.unit
def test_a_time_of_day_that_is_drawn_after_as_of_is_not_known_yet(hospital, home):
    rows = [f"{k},2024-06-01 0{k % 9}:10,2024-06-01 2{k % 3}:00,acute\n" for k in range(1, 60)]
    rows += ["70,2024-06-02,,acute\n", "71,2024-06-01 05:00,2024-06-02,acute\n", "72,2024-06-02 11:00,,acute\n"]
    (home / "extract.csv").write_text("id,came,went,unit\n" + "".join(rows), encoding="utf-8")
    history = load_history(at_eight(hospital), home, "2024-06-02")
    assert (history.patients["arrival"] < history.as_of).all()
    assert not (history.patients["departure"] >= history.as_of).any()


@pytest.mark.unit
def test_a_snapshot_after_the_end_of_the_extract_is_refused(hospital, home):
    (home / "extract.csv").write_text(HOURLY, encoding="utf-8")
    config = at_eight(hospital, complete_through="2024-06-02")
    with pytest.raises(
        DataError, match=r"as_of 2024-06-03 08:00 lies beyond the data.* choose an as_of up to 2024-06-03,"
    ):
        load_history(config, home, "2024-06-03")
