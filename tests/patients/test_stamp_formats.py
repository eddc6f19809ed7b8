"""Texts of times: what is read, what is not, and in which order the numbers of a date stand."""

import duckdb
import pandas as pd
import pytest

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.extract_warnings import ExtractWarnings
from kaizar_pipeline.patients.stamp_formats import DAY_FIRST, MONTH_FIRST, StampFormat, settle_format

pytestmark = pytest.mark.unit


def told(text: str, format_: StampFormat) -> pd.Timestamp:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        local = format_.local(format_.wall("text"), format_.utc("text"))
        return pd.Timestamp(connection.execute(f"SELECT {local} FROM (SELECT ? AS text)", [text]).fetchall()[0][0])


READ = {
    "2024-06-01": "2024-06-01",
    "2024-06-01 08:15": "2024-06-01 08:15",
    "2024-06-01T8:15:10": "2024-06-01 08:15:10",
    "2024-06-01 08:15:10.25": "2024-06-01 08:15:10.25",
    "2024-06-01 08:15:10,25": "2024-06-01 08:15:10.25",
    "2024-06-01 08:15:10.123456789": "2024-06-01 08:15:10.123456",
    "2024-06-01 24:00": "2024-06-02",
    "2024-06-01T24:00:00": "2024-06-02",
    "20240601": "2024-06-01",
    "202406010815": "2024-06-01 08:15",
    "20240601T081510": "2024-06-01 08:15:10",
    "2024-06-01T10:00Z": "2024-06-01 12:00",
    "2024-06-01T10:00:00+0000": "2024-06-01 12:00",
    "2024-06-01 10:00:00.5-01:00": "2024-06-01 13:00:00.5",
    "2024-01-01 10:00:00+02": "2024-01-01 09:00",
    "13/06/2024 08:15": "2024-06-13 08:15",
    "3.6.2024": "2024-06-03",
    "03-06-2024 24:00": "2024-06-04",
}


@pytest.mark.parametrize(("text", "time"), READ.items())
def test_these_are_read(text, time):
    assert told(text, StampFormat("Europe/Amsterdam")) == pd.Timestamp(time)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2024-02-30", "2024-06-01 10:00 xx", "2024-06-01 25:00", "2024-06-01 10", "infinity", "12024-06-01",
     "2024-06-01 (BC)", "2024-06-01 10:00 Europe/Amsterdam", "1717228800", "2024-01-01 10:00:00 +02",
     "2024", "03/06/2024 08:15 PM", "03/06/24"],
)  # fmt: skip
def test_these_are_not(text):
    assert pd.isna(told(text, StampFormat("Europe/Amsterdam")))


@pytest.mark.parametrize(
    ("text", "format_", "time"),
    [
        ("03/06/2024 08:15", "%m/%d/%Y %H:%M", "2024-03-06 08:15"),
        ("03/06/2024 24:00", "%m/%d/%Y %H:%M", "2024-03-07"),
        ("3 Jun 24 02:15 PM", "%d %b %y %I:%M %p", "2024-06-03 14:15"),
        ("03/06/2024 10:00 +0000", "%d/%m/%Y %H:%M %z", "2024-06-03 12:00"),
        ("03'06'2024", "%d'%m'%Y", "2024-06-03"),
    ],
)
def test_a_configured_format_is_read(text, format_, time):
    assert told(text, StampFormat("Europe/Amsterdam", format_)) == pd.Timestamp(time)


def settled(*texts: str, configured: str | None = None, warnings: ExtractWarnings | None = None) -> StampFormat:
    """The format of begins and ends that follow each other."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE cells (row BIGINT, come VARCHAR, gone VARCHAR)")
        pairs = zip(texts[::2], (*texts[1::2], None), strict=False)
        connection.executemany("INSERT INTO cells VALUES (?, ?, ?)", [(n, *pair) for n, pair in enumerate(pairs)])
        told = warnings or ExtractWarnings("extract.csv", lambda rows: rows)
        return settle_format(connection, "cells", ("come", "gone"), StampFormat("UTC", configured), told)


def test_the_order_of_day_and_month_is_that_which_all_rows_allow():
    assert settled("01/02/2024", "13/02/2024 10:00", "", "soon").order == DAY_FIRST
    assert settled("01/02/2024", "02/13/2024 10:00").order == MONTH_FIRST
    assert settled("2024-02-01") == StampFormat("UTC")


def test_a_few_stamps_of_the_other_order_are_mistyped():
    assert settled(*["02/13/2024"] * 200, "13/02/2024", "31/12/9999").order == MONTH_FIRST


def test_an_order_that_no_row_tells_is_refused_with_both_readings():
    with pytest.raises(
        DataError, match=r"ambiguous.*2024-02-01 as day/month/year, and 2024-01-02 as month/day/year.*date_format"
    ):
        settled("01/02/2024 10:00", "03/04/2024")


def test_two_orders_in_one_extract_are_refused():
    with pytest.raises(DataError, match="1 stamps read only as day/month/year and 2 only as month/day/year"):
        settled("13/02/2024", "02/13/2024", "02/14/2024")


def test_a_configured_order_that_fits_less_well_is_refused_with_both_readings():
    with pytest.raises(DataError, match=r"'%m/%d/%Y' reads 3 stamps, 0 .*; '%d/%m/%Y' reads 4, 0 of them so"):
        settled("01/02/2024", "02/02/2024", "12/02/2024", "13/02/2024", configured="%m/%d/%Y")
    with pytest.raises(
        DataError, match=r"'%m/%d/%Y' reads 2 stamps, 1 of them before.*'%d/%m/%Y' reads 2, 0 of them so"
    ):
        settled("11/01/2024", "02/02/2024", configured="%m/%d/%Y")


def test_a_configured_order_that_no_row_tells_is_taken_with_a_warning():
    warnings = ExtractWarnings("extract.csv", lambda rows: rows)
    settled("01/02/2024", "03/02/2024", configured="%d/%m/%Y", warnings=warnings)
    assert warnings.texts() == (
        "extract.csv: stamps read as %d/%m/%Y could be %m/%d/%Y as well: no day is above 12: 2",
    )
    settled(
        "01/02/2024", "13/02/2024", configured="%d/%m/%Y", warnings=ExtractWarnings("extract.csv", lambda rows: rows)
    )
