"""Keyed hashes of ids: equal under one key, different under another, one key per site even on parallel first runs."""

import hmac
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.pseudonyms import as_digits, hashed_person, hashed_visit, pseudonym_key

pytestmark = pytest.mark.unit


def hashed(ids: list[str | None], key: bytes) -> list[str | None]:
    rows = duckdb.execute(
        f"SELECT {as_digits(hashed_person('id', key))} FROM (SELECT unnest($ids) AS id)", parameters={"ids": ids}
    )
    return [row[0] for row in rows.fetchall()]


def test_hashes_are_hmac_sha256_of_the_id(tmp_path):
    key = pseudonym_key("a", tmp_path)
    ids = ["12", "13", "é'\\x00", None, "12"]
    expected = [None if id_ is None else hmac.digest(key, id_.encode(), "sha256").hex()[:16] for id_ in ids]
    assert hashed(ids, key) == expected
    assert hashed(["12"], pseudonym_key("b", tmp_path)) != expected[:1]
    assert not (tmp_path / "data").exists()


def test_visits_of_a_person_differ_and_begin_anywhere_among_the_hashes():
    visits = duckdb.execute(
        f"SELECT {hashed_visit('1::UBIGINT', 'day')} AS visit FROM generate_series(TIMESTAMP '0001-01-01', "
        "TIMESTAMP '9999-12-31', INTERVAL 1 DAY) AS days(day)"
    ).df()["visit"]
    assert visits.is_unique
    eighths = (visits // 2**61).value_counts(normalize=True)
    assert eighths.between(0.12, 0.13).all()


def test_the_key_comes_from_config_then_environment_then_file(tmp_path, monkeypatch):
    monkeypatch.setenv("KAIZAR_PSEUDONYM_KEY", "of the site")
    assert pseudonym_key("of the site", tmp_path) == pseudonym_key(None, tmp_path)
    monkeypatch.delenv("KAIZAR_PSEUDONYM_KEY")
    made = pseudonym_key(None, tmp_path)
    assert made == pseudonym_key(None, tmp_path) != pseudonym_key("of the site", tmp_path)
    assert (tmp_path / "data" / "pseudonym.key").stat().st_mode & 0o777 == 0o600


def test_parallel_first_runs_agree(tmp_path, monkeypatch):
    monkeypatch.delenv("KAIZAR_PSEUDONYM_KEY", raising=False)
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: pseudonym_key(None, tmp_path), range(64)))
    assert len(keys) == 1
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["pseudonym.key"]


@pytest.mark.parametrize("content", ["", "0123abc\n"], ids=["empty", "cut"])
def test_a_key_file_that_is_not_whole_is_refused(tmp_path, monkeypatch, content):
    monkeypatch.delenv("KAIZAR_PSEUDONYM_KEY", raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pseudonym.key").write_text(content)
    with pytest.raises(DataError, match=r"pseudonym\.key: is not a whole key"):
        pseudonym_key(None, tmp_path)
