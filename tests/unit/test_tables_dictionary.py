"""The tables of names, entry by entry against the library that they were made from."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom.charset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom import datadict
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._private_dict import private_dictionaries
from pydicom._uid_dict import UID_dictionary
from pydicom.sr._concepts_dict import concepts as pydicoms_concepts

from deid.encoding.character_sets import DEFINED_TERMS, decode, encodings
from deid.encoding.code_extensions import CODECS, codecs_of, decode_escaped, encode_extended
from deid.tables import build_dictionary, dictionary
from deid.tables.load import confidentiality_by_tag
from tests.factories import make_ct, write

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = Path(dictionary.__file__).parent
DELIMITERS = {0x5C, 0x5E, 0x3D, 0x0D, 0x0A, 0x09, 0x0C}


def test_every_attribute_has_the_row_of_the_reference() -> None:
    found = dictionary.attributes()
    assert {tag: tuple(found[tag]) for tag in DicomDictionary} == DicomDictionary


def test_attributes_that_the_reference_lacks_are_standard_ones() -> None:
    newer = {
        tag: each for tag, each in dictionary.attributes().items() if tag not in DicomDictionary
    }
    known = set(DicomDictionary.values())
    assert 100 < len(newer) < 300
    assert not [tag for tag in newer if tag >> 16 & 1]
    assert not {each.keyword for each in newer.values()} & {entry[4] for entry in known}


def test_every_repeating_attribute_has_the_row_of_the_reference() -> None:
    found = dictionary.repeating_attributes()
    expected = {mask.lower(): entry for mask, entry in RepeatersDictionary.items()}
    assert {mask: tuple(entry) for mask, entry in found.items()} == expected


def test_every_private_attribute_has_the_vr_of_the_reference() -> None:
    expected = {
        creator: {tag: entry[0] for tag, entry in block.items()}
        for creator, block in private_dictionaries.items()
    }
    assert dictionary.private_attributes() == expected


def test_every_uid_of_the_reference_has_its_row() -> None:
    found = dictionary.uids()
    assert {uid: tuple(found[uid]) for uid in UID_dictionary} == UID_dictionary


def test_every_concept_of_the_reference_is_there_and_no_other() -> None:
    def expected() -> Iterator[tuple[str, str]]:
        schemes: dict[str, dict[str, dict[str, tuple[str, list[int]]]]] = pydicoms_concepts  # type: ignore[assignment]
        for keywords in schemes.values():
            for codes in keywords.values():
                for code, (meaning, _cids) in codes.items():
                    yield code, meaning

    assert set(dictionary.concepts()) == set(expected())


def test_the_prepared_words_are_those_of_the_names() -> None:
    assert dictionary.standard_words() == set(build_dictionary.standard_words())


def test_the_files_are_what_the_script_writes() -> None:
    rows = build_dictionary.table(dictionary.UID_COLUMNS, build_dictionary.registered_uids())
    assert (TABLES / "uids.csv").read_text("utf-8") == rows
    named = build_dictionary.table(dictionary.ATTRIBUTE_COLUMNS, build_dictionary.attributes())
    assert (TABLES / "attributes.csv").read_text("utf-8") == named


@pytest.mark.parametrize("tag", [0x00100010, 0x60003000, 0x601E3000, 0x00203101, 0x7F020010])
def test_a_keyword_is_found_by_its_tag_in_repeating_groups_too(tag: int) -> None:
    assert dictionary.keyword_for_tag(tag) == datadict.keyword_for_tag(tag) != ""


def test_keywords_lead_to_tags_as_in_the_reference() -> None:
    entries = [*DicomDictionary.values(), *RepeatersDictionary.values()]
    keywords = [entry[4] for entry in entries if entry[4]] + ["Nonsense"]
    assert dictionary.tag_for_keyword("") is None
    assert [dictionary.tag_for_keyword(each) for each in keywords] == [
        datadict.tag_for_keyword(each) for each in keywords
    ]


def test_the_confidentiality_table_and_the_dictionary_agree_on_names() -> None:
    known = dictionary.attributes()
    rows = {tag: row for tag, row in confidentiality_by_tag().items() if tag in known}
    assert len(rows) > 600
    assert {tag: row.keyword for tag, row in rows.items()} == {
        tag: known[tag].keyword for tag in rows
    }


def test_every_defined_term_has_the_codec_of_the_reference() -> None:
    ours = {"ISO_IR 203"}
    assert set(DEFINED_TERMS) - ours == {
        term for term in pydicom.charset.python_encoding if term
    } | {""}
    assert {term: CODECS[term] for term in DEFINED_TERMS - ours} == {
        term: pydicom.charset.python_encoding[term] for term in DEFINED_TERMS - ours
    }


_TERMS = st.lists(st.sampled_from(sorted(set(CODECS) - {"ISO_IR 203"})), min_size=1, max_size=4)


_ONE_INSTANCE = """
import sys
import deid
plan = deid.compile_plan({"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}},
                         deid.SiteKey(bytes(range(32)))).prepare()
source = open(sys.argv[1], "rb").read()
deid.deidentify(source, plan)
large = ("numpy", "pydicom", "cryptography", "re2", "cv2", "structlog", "pydantic", "rich", "asyncio")
print(*(name for name in large if name in sys.modules))
"""


def test_an_instance_whose_pixels_stay_is_deidentified_without_the_large_libraries(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "ct.dcm", make_ct(rows=4))
    ran = subprocess.run(
        [sys.executable, "-c", _ONE_INSTANCE, file], capture_output=True, text=True, check=True, timeout=240,
        cwd=TABLES.parents[1],
    )  # fmt: skip
    assert ran.stdout.split() == []


@given(_TERMS)
def test_declared_sets_are_read_as_by_the_reference(terms: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = pydicom.charset.convert_encodings(terms if len(terms) > 1 else terms[0])
    assert encodings("\\".join(terms)) == tuple(expected)


_PIECES = st.one_of(
    st.sampled_from(sorted(pydicom.charset.CODES_TO_ENCODINGS)),
    st.sampled_from([b"\x1b", b"\x1b$", b"\x1b$(", b"\x1b(X", b"^", b"=", b"\\", b"\r\n", b"\t"]),
    st.text("山田太郎ヤマダﾔﾏﾀﾞ김희중王小东Käse").map(
        lambda text: text.encode("iso2022_jp_2", "ignore")
    ),
    st.text("김희중").map(lambda text: text.encode("euc_kr")),
    st.text("王小东").map(lambda text: text.encode("gb2312")),
    st.text("ﾔﾏﾀﾞ").map(lambda text: text.encode("shift_jis")),
    st.binary(max_size=4),
)


@given(_TERMS, st.lists(_PIECES, max_size=6))
def test_text_with_escapes_is_decoded_as_by_the_reference(
    terms: list[str], pieces: list[bytes]
) -> None:
    raw, codecs = b"".join(pieces), codecs_of(terms)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            expected: str | None = pydicom.charset.decode_bytes(raw, list(codecs), DELIMITERS)
        except (UserWarning, LookupError, UnicodeError):
            expected = None
    try:
        found: str | None = decode_escaped(raw, codecs)
    except (LookupError, UnicodeError):
        found = None
    assert found == expected


def test_a_name_in_three_sets_is_decoded() -> None:
    raw = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
    assert decode(raw, "\\ISO 2022 IR 87") == "Yamada^Tarou=山田^太郎=やまだ^たろう"


_LETTERS = "aZ ~\\^=\r山田太郎丂ヤマダﾔﾏﾀﾞ¥‾김희중王小东Käseßéλяשح"


@given(_TERMS, st.text(_LETTERS, min_size=1, max_size=8))
@example(["", "ISO 2022 IR 87"], "Yamada^太郎")
@example(["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎")
@example(["", "ISO 2022 IR 149"], "김희중 a")
@example(["ISO 2022 IR 6", "ISO 2022 IR 87", "ISO 2022 IR 159"], "丂山丂")
def test_text_in_several_sets_is_encoded_as_by_the_reference(terms: list[str], text: str) -> None:
    codecs = codecs_of(terms)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            expected: bytes | None = pydicom.charset.encode_string(text, list(codecs))
        except (UserWarning, UnicodeError):
            expected = None
    try:
        found: bytes | None = encode_extended(text, codecs)
    except UnicodeError:
        found = None
    assert found == expected
