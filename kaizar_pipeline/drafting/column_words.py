"""What columns are called: the words of each role in English, Dutch, German, French, Spanish and Portuguese."""

import re
import unicodedata

VISIT, PERSON, ARRIVAL, DEPARTURE, SERVICE, KIND, WARD, READY = (
    "visit", "person", "arrival", "departure", "service", "kind", "ward", "ready",
)  # fmt: skip

WORDS: dict[str, str] = {
    VISIT: "visit encounter episode case spell stay contact hadm admissionid visitid csn "
    "opname opnamenummer opnamenr zorgcontact fall fallnummer fallnr aufnahmenummer "
    "sejour venue episodio ingreso atendimento internacao",
    PERSON: "id patient patientid person pat patid mrn subject client patientnummer patientnr patientennummer "
    "patientenid ipp paciente persona pessoa nhc utente",
    ARRIVAL: "arrival arrive arrived admission admit admitted adm start begin entry came come in inroom intime "
    "admittime period.start opname opnamedatum aankomst aankomstdatum binnenkomst begin begindatum van "
    "aufnahme aufnahmedatum aufnahmezeit ankunft zugang beginn von "
    "entree arrivee debut admission ingreso ingresso llegada inicio entrada fecha_ingreso admissao chegada",
    DEPARTURE: "departure depart departed discharge discharged disch end exit leave left out outroom outtime dischtime "
    "release released went period.end ontslag ontslagdatum vertrek vertrekdatum eind einde einddatum tot "
    "entlassung entlassungsdatum entlassdatum entlasszeit abgang ende bis "
    "sortie depart fin alta salida egreso saida fim fecha_alta",
    SERVICE: "service specialty speciality department dept division svc visit_concept_id "
    "specialisme dienst fachabteilung fachrichtung abteilung klinik bereich "
    "specialite discipline servicio especialidad servico especialidade setor clinica",
    KIND: "type category pathway class pattype patienttype admission_type zorgtype urgency urgentie art motif tipo",
    WARD: "ward unit location careunit care_site bedsection afdeling verpleegafdeling station bettenstation "
    "unite uf unidad planta sala unidade ala enfermaria",
    READY: "ready medically_fit fit_for_discharge mff klaar ontslagklaar entlassfaehig sortant",
}

NOT_A_STAY = (
    "birth dob born geboorte geboortedatum geburt geburtsdatum naissance nacimiento nascimento death died overleden "
    "modified updated created expected planned referral request booked los duration age leeftijd alter los_days hours"
)
"""Words of columns that look like those above and are something else."""

PERSONAL = (
    "sex gender age name surname postcode zip race ethnicity insurance payer marital language geslacht leeftijd naam "
    "geschlecht alter nachname sexe nom edad sexo nombre idade nome status"
)
"""Words of columns that tell persons apart, and not where they lie."""


def _plain(name: str) -> str:
    """A name in small letters without accents, its words separated by _."""
    ascii_ = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", ascii_).lower()
    return re.sub(r"[^a-z0-9]+", "_", words).strip("_")


def slug(name: str) -> str:
    """An id made of a name: small letters, digits and _; empty where it has none of them."""
    return _plain(name)[:40].strip("_")


def is_personal(name: str) -> bool:
    """Whether a column's name says that it is about the person."""
    return any(token in PERSONAL.split() for token in _plain(name).split("_"))


def fits(name: str, role: str) -> float:
    """How well a column's name fits a role: 3 it is one of its words, 2 it has one, 1 one is part of it, below 0 it is
    something else."""
    plain = _plain(name)
    tokens = plain.split("_")
    if role in (ARRIVAL, DEPARTURE, READY) and any(word in tokens for word in NOT_A_STAY.split()):
        return -3
    words = [_plain(word) for word in WORDS[role].split()]
    if plain in words:
        return 3
    if any(word in tokens for word in words):
        return 2
    return 1 if any(len(word) > 4 and word in plain for word in words) else 0
