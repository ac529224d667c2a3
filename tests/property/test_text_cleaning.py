"""What holds for any text: nothing known survives, intervals hold, cleaning twice is cleaning once."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from deid.identity.identifiers import KnownIdentifier
from deid.identity.keys import SiteKey
from deid.identity.shifts import Shift
from deid.text import dates
from deid.text.cleaning import MAX_CHARACTERS, TextCleaning
from deid.text.policy import InfoTypeTransformation, TextPolicy, Transformation

KEY = SiteKey(bytes(range(32)))
# Names that no word list explains, so that they can only be found because they are known.
SYLLABLES = [
    "zor",
    "quil",
    "vex",
    "bram",
    "thul",
    "kev",
    "ørn",
    "mück",
    "žab",
    "ysh",
    "dof",
    "glar",
]
NAMES = st.lists(st.sampled_from(SYLLABLES), min_size=2, max_size=3).map(
    lambda parts: "".join(parts).capitalize()
)
FILLER = st.sampled_from(
    [
        "CT CHEST",
        "no fracture of the hip,",
        "seen for",
        "T2 AX FS",
        "knee;",
        "(left)",
        "with effusion.",
    ]
)
SPELLINGS = [
    str.lower,
    str.upper,
    str.title,
    lambda name: "".join(
        c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c)
    ),
    lambda name: name + "'s",
]
FORMS = [
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%Y%m%d",
    "%d %B %Y",
    "%B %d, %Y",
    "%d-%b-%Y",
    "%Y/%m/%d",
    "%d. %m. %Y",
]
DAYS = st.dates(date(1901, 6, 1), date(2099, 6, 1))
SHIFTS = st.integers(-100, 100).filter(bool)


@given(
    NAMES,
    NAMES,
    st.sampled_from(["{f} {l}", "{l}, {f}", "{l}^{f}", "{f}_{l}", "{f}{l}", "{i}. {l}", "{l} {i}"]),
    st.sampled_from(SPELLINGS),
    FILLER,
    FILLER,
    st.booleans(),
)
def test_no_part_of_a_known_name_survives(
    family: str, given_name: str, form: str, spell: object, before: str, after: str, strict: bool
) -> None:
    written = form.format(f=given_name, l=family, i=given_name[0])
    text = f"{before} {spell(written)} {after}"  # type: ignore[operator]
    known = [KnownIdentifier(f"{family}^{given_name}", "PERSON_NAME")]
    cleaned = TextCleaning(TextPolicy(strict=strict), KEY).clean(text, known, shift=Shift(3)).text
    plain = "".join(
        c for c in unicodedata.normalize("NFD", cleaned.lower()) if not unicodedata.combining(c)
    )
    for part in (family, given_name):
        folded = "".join(
            c for c in unicodedata.normalize("NFD", part.lower()) if not unicodedata.combining(c)
        )
        assert folded not in plain


@given(
    st.from_regex(r"[A-Z]{0,3}[0-9]{5,10}", fullmatch=True),
    st.sampled_from(["", "-", " ", ".", "/"]),
    st.integers(1, 4),
    FILLER,
)
def test_no_record_number_survives_whatever_separates_its_digits(
    number: str, separator: str, every: int, filler: str
) -> None:
    pieces = [number[at : at + every] for at in range(0, len(number), every)]
    text = f"{filler} {separator.join(pieces)} {filler}"
    known = [KnownIdentifier(number, "MEDICAL_RECORD_NUMBER")]
    cleaned = TextCleaning(TextPolicy(), KEY).clean(text, known, shift=Shift(3)).text
    assert "".join(c for c in number if c.isdigit()) not in "".join(
        c for c in cleaned if c.isdigit()
    )


@given(DAYS, DAYS, SHIFTS, st.sampled_from(FORMS), st.sampled_from(FORMS))
def test_intervals_between_dates_hold_in_every_form(
    first: date, second: date, shift: int, first_form: str, second_form: str
) -> None:
    text = f"seen {first.strftime(first_form)}; again {second.strftime(second_form)}; knee"
    cleaned = TextCleaning(TextPolicy(), KEY).clean(text, [], shift=Shift(shift)).text
    found = [date(each.year, each.month, each.day) for each in dates.find(cleaned)]
    assert found == [first + timedelta(days=shift), second + timedelta(days=shift)]


@given(DAYS, SHIFTS)
def test_whole_values_and_text_move_alike(day: date, shift: int) -> None:
    cleaner = TextCleaning(TextPolicy(), KEY)
    value = cleaner.clean_value("DA", day.strftime("%Y%m%d"), [], shift=Shift(shift)).text
    text = cleaner.clean(f"on {day.isoformat()}", [], shift=Shift(shift)).text
    assert text.removeprefix("on ").replace("-", "") == value


@given(
    st.lists(
        st.one_of(NAMES, FILLER, st.sampled_from(["Dr.", "Mrs", "by", "MRN 77812"])), max_size=12
    ),
    st.booleans(),
)
def test_cleaning_again_changes_nothing(parts: list[str], strict: bool) -> None:
    policy = TextPolicy(
        (InfoTypeTransformation(Transformation.REPLACE_WITH_INFO_TYPE),), strict=strict
    )
    cleaner = TextCleaning(policy, KEY)
    once = cleaner.clean(" ".join(parts), [], shift=Shift(3)).text
    assert cleaner.clean(once, [], shift=Shift(3)).text == once


@settings(max_examples=300)
@given(st.text(max_size=300), st.text(min_size=2, max_size=20), st.booleans())
def test_any_text_can_be_cleaned_for_any_patient(text: str, name: str, strict: bool) -> None:
    cleaner = TextCleaning(TextPolicy(strict=strict), KEY)
    known = [KnownIdentifier(name, kind) for kind in ("PERSON_NAME", "LOCATION", "GENERIC_ID")]
    result = cleaner.clean(text, known, shift=Shift(3))
    assert "\x00" not in result.text or "\x00" in text


@given(
    st.sampled_from(sorted(MAX_CHARACTERS)),
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=80),
    st.sampled_from(list(Transformation)),
)
def test_no_value_grows_beyond_its_vr(vr: str, text: str, transformation: Transformation) -> None:
    limit = MAX_CHARACTERS[vr]
    cleaner = TextCleaning(TextPolicy((InfoTypeTransformation(transformation),)), KEY)
    original = "\\".join(part[:limit] for part in text.split("\\"))
    known = [KnownIdentifier("Zorquil^Vex", "PERSON_NAME")]
    cleaned = cleaner.clean_value(vr, original, known, shift=Shift(3)).text
    assert all(len(part) <= limit for part in cleaned.split("\\"))
