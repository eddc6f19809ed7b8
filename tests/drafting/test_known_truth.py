"""Generated extracts of which the truth is known: what is drafted from them is that."""

from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline.config.files import load_hospital_config
from kaizar_pipeline.drafting.drafted_file import drafted_file
from kaizar_pipeline.drafting.hospital_draft import Draft, draft_hospital
from kaizar_pipeline.history.loading import History, load_history
from tests.support.drafted_cases import extracts
from tests.support.drafted_extracts import Extract
from tests.support.drafted_table import NETHERLANDS, PAGE, row

pytestmark = pytest.mark.integration

EXTRACTS = {extract.name: extract for extract in extracts()}


def drafted(extract: Extract, home: Path) -> tuple[Draft, Path]:
    """The draft of an extract, and its file in the project `home`."""
    path, stays = extract.write(home)
    draft = draft_hospital(path, stays, name="mine", place=NETHERLANDS, home=home)
    file = home / "hospital_configs" / "mine.yml"
    file.parent.mkdir()
    file.write_text(drafted_file(draft), encoding="utf-8")
    return draft, file


@pytest.mark.parametrize("name", EXTRACTS)
def test_the_draft_is_the_truth(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    extract = EXTRACTS[name]
    draft, file = drafted(extract, tmp_path)
    monkeypatch.setenv("KAIZAR_PSEUDONYM_KEY", "test")
    config = load_hospital_config(file)
    history = load_history(config, tmp_path)

    assert draft.questions == []
    assert draft.patients["columns"] == extract.true_columns
    assert {ward.id: ward.type for ward in config.wards} == extract.true_wards
    assert {s.id: (s.target_ward, s.patient_type) for s in config.arrival_streams} == extract.true_streams
    _check_conventions(draft, extract)
    _check_beds(draft, extract)
    _check_times(history, extract)
    assert row(extract, draft) in PAGE.read_text(encoding="utf-8"), "renew it: python -m tests.support.drafted_table"


def _check_conventions(draft: Draft, extract: Extract) -> None:
    """What `patients` says beside columns and streams is what the habits of the extract ask for, and nothing else."""
    said = set(draft.patients) - {"source", "path", "columns", "streams", "encoding", "date_format", "stays"}
    assert said == set(extract.patients)
    for key, value in extract.patients.items():
        assert value is None or (value in draft.patients[key] if key == "missing" else value == draft.patients[key])


def _check_beds(draft: Draft, extract: Extract) -> None:
    found = {ward.named.id: ward for ward in draft.wards}
    for ward, beds in extract.beds.items():
        assert found[ward].beds.beds == beds
        weekend = extract.weekend_beds.get(ward)
        assert found[ward].beds.by_weekday == ({"Sat": weekend, "Sun": weekend} if weekend else {})
    if extract.beds:
        assert not any(ward.beds.by_weekday for id_, ward in found.items() if id_ not in extract.weekend_beds)


def _check_times(history: History, extract: Extract) -> None:
    """All visits before as_of are read, at their times."""
    truth = extract.table[extract.table["arrival"] < history.as_of]

    def to(times: pd.Series) -> pd.Series:
        return times.dt.normalize() if extract.days_only else times

    read = history.patients
    assert sorted(to(read["arrival"])) == sorted(to(truth["arrival"].astype("datetime64[us]")))
    left = truth.loc[truth["departure"] < history.as_of, "departure"].astype("datetime64[us]")
    assert sorted(to(read["departure"].dropna())) == sorted(to(left))
    assert len(history.patient_rejects) <= 0.002 * history.rows  # a person may be in two wards
