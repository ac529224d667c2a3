"""Where the last look finds a name: found by the adversarial corpus."""

from __future__ import annotations

import pytest

from deid.identity.residual import Forbidden

NAMES = Forbidden([(b"Thistlemoor^Evander^Lund", "PERSON_NAME", "")])


@pytest.mark.parametrize(
    "text",
    [
        "Thistlemoor", "scanner_Thistlemoor_2", "Thistlemoor2019", "ScannerThistlemoor",
        "THISTLEMOORS", "2019EVANDER", "dr.evander",
    ],
)  # fmt: skip
def test_a_long_name_is_found_wherever_it_is_glued(text: str) -> None:
    assert NAMES.occurs_in(text.encode(), text, vr="LO")
    assert NAMES.may_occur_in([b"LO\x16\x00" + text.encode() + b"\x28\x00"])


@pytest.mark.parametrize("text", ["Lundstrom", "Island", "Blunder", "lundx2"])
def test_a_short_name_inside_another_word_is_not_found(text: str) -> None:
    assert not NAMES.occurs_in(text.encode(), text, vr="LO")


@pytest.mark.parametrize(
    ("name", "text", "codec"),
    [
        ("Иванов^Иван", "Иванов", "utf-8"),
        ("Иванов^Иван", "ИВАНОВ", "iso8859-5"),
        ("Özdemir^Şule", "özdemir", "utf-8"),
        ("Smith-Jones^Ann", "Smith", "ascii"),
        ("O'Brien^Sean", "OBrien", "ascii"),
        ("Thistlemoor^Eve", "Thistlemoor", "utf-16-le"),
        ("Thistlemoor^Eve", "THISTLEMOOR", "utf-16-be"),
    ],
)
def test_a_name_is_found_in_other_cases_codecs_and_parts(name: str, text: str, codec: str) -> None:
    source = codec if codec.startswith("iso") else "utf-8"
    charset = "ISO_IR 144" if codec.startswith("iso") else "ISO_IR 192"
    forbidden = Forbidden([(name.encode(source), "PERSON_NAME", charset)])
    assert forbidden.occurs_in(text.encode(codec), "", vr="OW")
    assert forbidden.may_occur_in([b"LO\x16\x00" + text.encode(codec) + b"\x28\x00"])


def test_a_name_is_no_longer_searched_for_where_a_word_of_ours_is_the_same_only() -> None:
    ali = Forbidden([(b"Ali^Hasan", "PERSON_NAME", "")]).without(b"Basic Confidentiality Profile")
    assert ali.occurs_in(b"ALI", "ALI", vr="LO")
    assert not ali.without(b"Ali").occurs_in(b"ALI", "ALI", vr="LO")


@pytest.mark.parametrize("number", ["4711", "A17", "007"])
def test_a_short_number_counts_in_texts_and_not_in_codes_or_measures(number: str) -> None:
    forbidden = Forbidden([(number.encode(), "MEDICAL_RECORD_NUMBER", "")])
    text = f"axial {number}"
    assert forbidden.occurs_in(text.encode(), text, vr="LO")
    assert not forbidden.occurs_in(number.encode(), number, vr="IS")


def test_a_day_counts_everywhere_but_in_dates() -> None:
    forbidden = Forbidden([(b"19410827", "DATE_OF_BIRTH", ""), (b"20190510", "ACCESSION", "")])
    assert forbidden.occurs_in(b"20190510", "20190510", vr="SH")
    assert forbidden.occurs_in(b"19410827", "19410827", vr="IS")
    assert not forbidden.occurs_in(b"19410827", "19410827", vr="DA")
    assert not forbidden.remains_in(b"DA\x08\x0019410827")


def test_what_is_common_does_not_count_as_an_identifier_of_its_own() -> None:
    forbidden = Forbidden(
        [(b"HEAD", "MEDICAL_RECORD_NUMBER", ""), (b"10000", "GENERIC_ID", ""),
         (b"SIEMENS", "ORGANIZATION_NAME", "")]
    )  # fmt: skip
    assert not forbidden.occurs_in(b"HEAD", "HEAD", vr="CS")
    assert not forbidden.occurs_in(b"10000", "10000", vr="IS")
    assert not forbidden.occurs_in(b"SIEMENS", "SIEMENS", vr="LO")


@pytest.mark.parametrize("beginnings", [1, 20_000])
def test_of_very_many_uids_one_is_found_and_what_only_begins_so_is_not(beginnings: int) -> None:
    uids = [f"1.2.840.{number % beginnings:05}.{number:05}".encode() for number in range(20_000)]
    uids.append(b"1.2.840.00000.77777777")
    others = b"UI\x1a\x00".join(uid.replace(b"1.2.840", b"1.2.841") for uid in uids)
    begun = b"LT\x1e\x00as 1.2.840.00000.x and 1.2.840.19999.y"
    forbidden = Forbidden([])
    assert not forbidden.may_occur_in([others, begun], uids)
    for uid in (uids[0], uids[19_999], uids[-1]):
        assert forbidden.may_occur_in([others, begun, b"LT\x1e\x00see" + uid + b" today"], uids)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Szczepański^Łukasz", "Szczepanski"), ("Szczepański^Łukasz", "LUKASZ"), ("Größler^Jörn", "Groessler"),
        ("Größler^Jörn", "GROSSLER"), ("Größler^Jörn", "JOERN"), ("Søndergård^Åse", "Sondergard"),
        ("Søndergård^Åse", "soendergaard"), ("Воробьёв^Пётр", "Воробьев"), ("Παπαδόπουλος^Γ", "παπαδοπουλοσ"),
        ("O'Brien-Lund^Eve", "OBrien"), ("de la Torre Vidal^Ana", "DelaTorre"),
        ("van der Meulen^J", "vandermeulen"),
        ("van der Meulen^J", "vdMeulen"), ("Al-Rashidi^F", "alrashidi"), ("D'Amico^Eva", "DAMICO"),
    ],
)  # fmt: skip
def test_a_name_is_found_without_its_marks_and_with_its_particles(name: str, text: str) -> None:
    forbidden = Forbidden([(name.encode(), "PERSON_NAME", "ISO_IR 192")])
    assert forbidden.occurs_in(text.encode(), text, vr="LO")
    assert forbidden.may_occur_in([b"LO\x16\x00" + text.encode() + b"\x28\x00"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Szczepański^Łukasz", "Szczecin"), ("Größler^Jörn", "grosser Kern"), ("de la Torre Vidal^Ana", "dela"),
        ("van der Meulen^J", "vd"), ("van der Meulen^J", "vander"),
        ("Di Stal^Eva", "distal"),
        ("Al-Tar^F", "Al"), ("Søndergård^Åse", "sonder"), ("Müll^Eva", "MUL"),
        ("D'Ami^Eva", "dynami"), ("Ó Sé^Eva", "OSE"), ("La Teral^Eva", "lateral"),
        ("Mc Ten^Eva", "mct"),
    ],
)  # fmt: skip
def test_what_shares_a_particle_or_a_beginning_with_a_name_is_not_found(
    name: str, text: str
) -> None:
    forbidden = Forbidden([(name.encode(), "PERSON_NAME", "ISO_IR 192")])
    assert not forbidden.occurs_in(text.encode(), text, vr="CS")
