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
