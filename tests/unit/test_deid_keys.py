"""Keys, not tables."""

import hmac
from uuid import UUID

import pytest

from deid import KeyRefused, Replacements, SiteKey, patient_identity
from deid.encoding.header import tag_name
from deid.identity.keys import parts_of_identity
from deid.identity.labels import LABELS_BY_IDENTIFIER_TYPE, LABELS_BY_TAG, Label
from deid.tables.dictionary import attributes

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
    shifts = {Replacements(KEY).shift(f"|{n}").days for n in range(20_000)}
    assert 0 not in shifts
    assert min(shifts) == -100
    assert max(shifts) == 100


@pytest.mark.parametrize("length", [1, 32, 64, 65, 300])
def test_a_shift_follows_from_the_hmac_of_the_configurations_key_however_long(length: int) -> None:
    secret = bytes(range(length % 256)) or b"\xff"
    found = Replacements(KEY, date_shift_secret=secret).shift("1|a|17").days
    digest = hmac.digest(secret, b"date-shift\x001|a|17", "sha256")
    step = int.from_bytes(digest[:8], "big") % 200
    assert found == (step - 100 if step < 100 else step - 99)


@pytest.mark.parametrize(("range_days", "jitter_s"), [(365, 60), (3650, 43_200)])
def test_shifts_fill_the_ranges_that_a_site_chooses(range_days: int, jitter_s: int) -> None:
    made = Replacements(KEY, shift_range_days=range_days, time_jitter_s=jitter_s)
    found = [made.shift(f"|{n}") for n in range(20_000)]
    for most, values in (
        (range_days, [each.days for each in found]),
        (jitter_s, [each.seconds for each in found]),
    ):
        assert 0 not in values
        assert -most <= min(values) < -most * 0.98
        assert most * 0.98 < max(values) <= most


def test_a_wider_range_or_jitter_changes_no_other_replacement() -> None:
    usual, wide = Replacements(KEY), Replacements(KEY, shift_range_days=365, time_jitter_s=60)
    assert usual.patient("|1") == wide.patient("|1")
    assert usual.uid("1.2.3") == wide.uid("1.2.3")
    assert Replacements(KEY, time_jitter_s=60).shift("|1").days == usual.shift("|1").days


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
        token = ours.token(Label.ACCESSION, str(number))
        assert ours.uid(uid) == uid != theirs.uid(uid)
        assert ours.is_own_pseudonym(pseudonym)
        assert not theirs.is_own_pseudonym(pseudonym)
        assert ours.token(Label.ACCESSION, token) == token
        assert ours.token(Label.PLACER_ORDER, token) != token


def test_a_uuid_is_replaced_once_and_one_of_somebody_else_is_not_ours() -> None:
    ours, theirs = Replacements(KEY), Replacements(KEY.derive("other"))
    for number in range(200):
        given = str(UUID(int=number * 0x1234567, version=4))
        new = ours.uuid(given)
        assert UUID(new).version == 4
        assert ours.uuid(new) == new != given
        assert not ours.is_own_uuid(given)
        assert theirs.uuid(new) != new


def test_what_two_patients_have_in_common_does_not_join_them() -> None:
    ours = Replacements(KEY)
    one, other = ours.patient("|1"), ours.patient("|2")
    frame = ours.uid_for_patient("1.2.3", one)
    assert frame == ours.uid_for_patient("1.2.3", one) != ours.uid_for_patient("1.2.3", other)
    assert ours.uid("1.2.3") not in {frame, ours.uid_for_patient("1.2.3", other)}
    assert ours.uid_for_patient(frame, other) == frame
    label = ours.label("ROI", one, "Liver")
    assert label == ours.label("ROI", one, "Liver") != ours.label("ROI", other, "Liver")
    assert ours.label("ROI", one, "Liver", turn=1) != label
    assert ours.is_own_label(label)


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
    assert len(replacements.token(Label.ACCESSION, "A1")) == 16


def test_replacements_stay_what_they_were_in_every_version() -> None:
    replacements = Replacements(KEY)
    assert replacements.token(Label.ACCESSION, "A1") == "Z81LT830LX22T13R"
    assert replacements.token(Label.PLACER_ORDER, "A1") == "MJ19N3KB7RK3FSHR"
    assert replacements.patient("|7") == "026ZQ5NPZ7WLQ45HJ5Q6"


def test_a_label_that_belongs_to_an_attribute_is_called_after_it() -> None:
    named = {tag: label for tag, label in LABELS_BY_TAG.items() if label is not Label.PATIENT}
    assert {tag: label.value for tag, label in named.items()} == {
        tag: tag_name(tag) for tag in named
    }
    assert set(LABELS_BY_TAG) <= set(attributes())
    assert len(set(LABELS_BY_TAG.values())) == len(LABELS_BY_TAG)


def test_an_order_has_one_token_in_a_header_and_in_a_resource() -> None:
    replacements = Replacements(KEY)
    for tag, code in ((0x00080050, "ACSN"), (0x00402016, "PLAC"), (0x00402017, "FILL")):
        in_header = replacements.token(LABELS_BY_TAG[tag], "4711")
        assert replacements.token(LABELS_BY_IDENTIFIER_TYPE[code], "4711") == in_header


def test_equal_numbers_of_different_things_get_different_tokens() -> None:
    replacements = Replacements(KEY)
    assert len({replacements.token(label, "4711") for label in Label}) == len(Label)


@pytest.mark.parametrize(
    ("issuer", "patient_id"), [("hospital", "P1"), ("", "P1"), ("a|b", "1|2"), ("12|", "|3")]
)
def test_an_identity_comes_apart_as_it_was_put_together(issuer: str, patient_id: str) -> None:
    assert parts_of_identity(patient_identity(issuer, patient_id, "")) == (issuer, patient_id)


def test_an_identity_of_a_study_has_no_parts() -> None:
    assert parts_of_identity(patient_identity("hospital", " ", "1.2.3")) == ("", "")
