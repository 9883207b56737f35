"""What counts as personal data, and what in medical texts does not."""

import random
import sys
from types import ModuleType, SimpleNamespace

import pytest
from dataset_folders import example

from annotune.errors import ConfigurationError, RequestInvalid
from curation.checks.finding import masked
from curation.checks.mail_addresses import mail_addresses
from curation.checks.person_names import person_names
from curation.checks.personal_data import PersonalData
from curation.checks.phone_numbers import phone_numbers
from curation.checks.record_numbers import record_numbers
from curation.dataset_reader import DatasetRow

MEDICAL = [
    "Give 500 mg every 6-8 hours, 2000-4000 mg/day, for 10-14 days.",
    "The risk ratio [95% CI] was 1.12 (0.94-1.34), 1.26 (1.15-1.38) and 1.48 (1.28-1.72), P<0.001.",
    "Glucose 70-100 mg/dL, platelets 150,000-450,000/uL, sodium 135-145, pH 7.35-7.45, BP 120/80 - 139/89 mmHg.",
    "ICD-10 E11.9, I21.4, C50.911; ICD-9 250.00, 410.71; SNOMED 73211009; LOINC 4548-4; CPT 99213-25; RxNorm 1049502.",
    "PMID: 22365295, PMC1234567, doi:10.1016/j.jacc.2009.01.034, 10.1056/NEJMoa1001282, ISBN 978-3-16-148410-0.",
    "NCT01234567, ACTRN12612000038897, ISRCTN12345678, EudraCT 2004-000446-20, rs1061170 and rs11549465.",
    "From 2001-2009, between 12/03/1998 and 1999-12-31, on 03.04.2005 10:30, in 1960-1984.",
    "CAS 50-78-2, EC 1.14.14.1, NDC 0002-8215-01, lot 20231106-3, catalogue no. 301 496 575.",
    "The mean was 74 +/- 325.801 g (198.03-257.45 g); 84/318 (26%); 1182 (54.5%) and 988; 10^9 cells.",
    "See https://www.mayoclinic.org/diseases/basics/treatment/con-20024397 for more; 3.0 @ 25 mg; p@k; ca. 5'-ACGT-3'.",
    "Of 12345678 reads, 9876543210 passed; hg19 chr7:117120016-117308718; HLA-B*57:01; 45,X/46,XY.",
    "MRN was not recorded. The patient number rose from 5 to 9. Patients with no 12 345 cells. DOB unknown.",
    "A medical record number identifies a patient. The NHS number 123 456 7890 has a wrong check digit.",
]


@pytest.mark.parametrize("text", MEDICAL)
def test_what_medical_texts_say_is_no_personal_data(text: str) -> None:
    found = [*mail_addresses(text), *phone_numbers(text, ("US", "GB", "DE")), *record_numbers(text)]

    assert found == []


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Write to jane.doe@clinic.org.", "jane.doe@clinic.org"),
        ("<J_D+x@Mail.Uni-Bonn.DE>", "J_D+x@Mail.Uni-Bonn.DE"),
        ("mailto:a@b.co,", "a@b.co"),
    ],
)
def test_an_e_mail_address_is_found(text: str, address: str) -> None:
    assert list(mail_addresses(text)) == [address]


@pytest.mark.parametrize(
    "text", ["you@example.com", "a@b.example.org", "a@localhost", "@a.org", "a@b", "a@1.2", "a @ b.org"]
)
def test_what_is_nobodys_address_is_not(text: str) -> None:
    assert list(mail_addresses(text)) == []


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("at the NIH at 1-800-411-1222. Ask", "US", "1-800-411-1222"),
        ("(301) 496-5751", "US", "(301) 496-5751"),
        ("its toll-free number, 18004516434.", "US", "18004516434"),
        ("+49 228 28717577", "US", "+49 228 28717577"),
        ("Tel. 0228 28717577", "DE", "0228 28717577"),
        ("020 7946 0018", "GB", "020 7946 0018"),
    ],
)
def test_a_phone_number_is_found(text: str, region: str, number: str) -> None:
    assert list(phone_numbers(text, (region,))) == [number]


def test_a_local_number_of_another_region_is_none() -> None:
    assert list(phone_numbers("Tel. 0228 28717577", ("US",))) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("MRN: 00123456", "00123456"),
        ("MRN 123-45-67 was seen", "123-45-67"),
        ("medical record number is A-778812.", "A-778812"),
        ("Patient ID: 4482211", "4482211"),
        ("DOB 03/14/1961", "03/14/1961"),
        ("Date of birth: March 14, 1961", "March 14, 1961"),
        ("SSN 219-09-9999", "219-09-9999"),
        ("NHS number: 943 476 5919", "943 476 5919"),
        ("IBAN DE89 3704 0044 0532 0130 00 please", "DE89 3704 0044 0532 0130 00"),
        ("GB82WEST12345698765432", "GB82WEST12345698765432"),
    ],
)
def test_a_record_number_is_found(text: str, number: str) -> None:
    assert list(record_numbers(text)) == [number]


@pytest.mark.parametrize(
    "text", ["000-12-3456", "912-12-3456", "123-00-4567", "DE89 3704 0044 0532 0130 01", "1219-09-99991"]
)
def test_a_number_that_is_never_given_is_none(text: str) -> None:
    assert list(record_numbers(text)) == []


def test_random_and_hostile_texts_end() -> None:
    random_ = random.Random(7)  # noqa: S311 - not for a secret
    texts = ["".join(random_.choices("0123456789-+(). /@aZ\n\u0661\u2028", k=200)) for _ in range(200)]
    for text in [*texts, "1" * 50_000, "a@" * 20_000, "MRN " * 10_000, "1-" * 20_000, "\ud800", "\0", "DE" * 20_000]:
        for found in [*mail_addresses(text), *record_numbers(text), *phone_numbers(text[:2000], ("US",))]:
            assert found in text


def row(**texts: str) -> DatasetRow:
    made = example(7, texts.get("question", "Q?"), texts.get("answer", "A."), said=texts.get("said"))
    return DatasetRow.model_construct(id=7, split="train", **dict(made))


def test_a_finding_says_where_and_shows_nothing() -> None:
    (found,) = PersonalData(("US",)).add(row(question="Is jane.doe@clinic.org right? jane.doe@clinic.org"))

    assert (found.rows, found.field, found.text) == ((7,), "question", "j***.***@******.***")


def test_what_a_model_had_said_is_looked_at_too() -> None:
    (found,) = PersonalData(("US",)).add(row(said="Call 301-496-5751"))

    assert (found.kind, found.field, found.text) == ("phone number", "origin.said", "3**-***-****")


def test_names_are_looked_for_by_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    spacy = ModuleType("spacy")
    entities = [SimpleNamespace(text="Jane Doe", label_="PERSON"), SimpleNamespace(text="Bonn", label_="GPE")]

    class Pipeline:
        def __init__(self) -> None:
            self.pipe_labels = {"ner": ["PERSON", "GPE"]}
            self.max_length = 100

        def __call__(self, text: str) -> SimpleNamespace:
            return SimpleNamespace(ents=entities if "Jane" in text else [])

    def load(model: str) -> Pipeline:
        if model != "there":
            raise OSError(model)
        return Pipeline()

    spacy.load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spacy", spacy)

    (found,) = PersonalData((), person_names("there")).add(row(answer="Jane Doe of Bonn"))
    assert (found.kind, found.field, found.text) == ("name", "answer", "J*** ***")
    with pytest.raises(RequestInvalid, match="no model 'gone'"):
        person_names("gone")


def test_without_spacy_names_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)

    with pytest.raises(ConfigurationError, match="is not installed"):
        person_names("there")


def test_a_masked_text_keeps_its_shape() -> None:
    assert masked("Ünal_9@b.de") == "Ü***_*@*.**"
    assert masked("") == ""
