"""Keys, not tables."""

import pytest

from deid import KeyRefused, Replacements, SiteKey, patient_identity

KEY = SiteKey(bytes(range(32)))


def test_a_short_or_regular_key_is_refused() -> None:
    with pytest.raises(KeyRefused, match="exactly 32 bytes"):
        SiteKey(b"short")
    with pytest.raises(KeyRefused, match="too regular"):
        SiteKey(b"ab" * 16)


def test_the_repr_of_a_key_does_not_show_it() -> None:
    assert repr(KEY) == "SiteKey()"


def test_replacement_uids_are_valid_and_differ_by_key_and_original() -> None:
    replacements = Replacements(KEY)
    uids = {replacements.uid(f"1.2.{n}") for n in range(2000)}
    assert len(uids) == 2000
    assert all(uid.startswith("2.25.") and len(uid) <= 44 and uid[5] != "0" for uid in uids)
    assert Replacements(KEY.derive("other")).uid("1.2.1") != replacements.uid("1.2.1")


def test_a_shift_is_never_zero_and_reaches_both_ends_of_its_range() -> None:
    shifts = {Replacements(KEY).shift_days(f"|{n}") for n in range(20_000)}
    assert 0 not in shifts
    assert min(shifts) == -100
    assert max(shifts) == 100


def test_a_patient_without_an_id_is_the_study() -> None:
    assert patient_identity("", "", "1.2.3") == "study:1.2.3"
    assert patient_identity("A", "7", "1.2.3") == patient_identity("A", "7", "1.2.4")
    assert patient_identity("A", "7", "1") != patient_identity("B", "7", "1")
    assert patient_identity("a|b", "c", "") != patient_identity("a", "b|c", "")


def test_an_identifier_is_the_same_however_its_spaces_and_accents_are_encoded() -> None:
    assert patient_identity("A", "Mu\u0308ller  7\t", "1") == patient_identity(
        "A", "M\u00fcller 7", "1"
    )
    assert patient_identity("A", "k7", "1") != patient_identity("A", "K7", "1")


def test_replacements_are_known_to_the_key_that_made_them_and_to_no_other() -> None:
    ours, theirs = Replacements(KEY), Replacements(KEY.derive("other"))
    for number in range(200):
        uid, pseudonym = ours.uid(f"1.2.{number}"), ours.patient(f"|{number}")
        token = ours.token("(0008,0050)", str(number))
        assert ours.uid(uid) == uid != theirs.uid(uid)
        assert ours.is_own_pseudonym(pseudonym)
        assert not theirs.is_own_pseudonym(pseudonym)
        assert ours.token("(0008,0050)", token) == token
        assert ours.token("(0040,2016)", token) != token


@pytest.mark.parametrize(
    "uid", ["2.25.", "2.25.1", "2.25.x", "2.25." + "9" * 39, "2.25." + "9" * 38, "1.2.3", ""]
)
def test_a_uid_of_somebody_else_is_not_ours(uid: str) -> None:
    assert not Replacements(KEY).is_own_uid(uid)


def test_pseudonyms_and_tokens_fit_their_values_and_spell_no_name() -> None:
    replacements = Replacements(KEY)
    made = {replacements.patient(f"|{n}") for n in range(2000)}
    assert len(made) == 2000
    assert {len(each) for each in made} == {20}
    assert not set("AEIOUY").intersection("".join(made))
    assert len(replacements.token("(0008,0050)", "A1")) == 16
