"""Keyed hashes of ids: equal under one key, different under another, one key per site even on parallel first runs."""

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.pseudonyms import pseudonym_key, pseudonyms

pytestmark = pytest.mark.unit


def test_hashes_depend_on_id_and_key_only(tmp_path):
    ids = pd.Series(["12", "13", None, "12"], dtype="object")
    hashed = pseudonyms(ids, pseudonym_key("a", tmp_path))
    assert hashed[0] == hashed[3] != hashed[1]
    assert pd.isna(hashed[2])
    assert hashed[[0, 1, 3]].str.fullmatch("[0-9a-f]{16}").all()
    assert (pseudonyms(ids, pseudonym_key("b", tmp_path))[[0, 1]] != hashed[[0, 1]]).all()
    assert not (tmp_path / "data").exists()


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


def test_an_empty_key_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("KAIZAR_PSEUDONYM_KEY", raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pseudonym.key").touch()
    with pytest.raises(DataError, match=r"pseudonym\.key: is empty"):
        pseudonym_key(None, tmp_path)
