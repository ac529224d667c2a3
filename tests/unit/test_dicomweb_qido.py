"""What a search is understood as, and what of it is refused before a store is asked."""

from __future__ import annotations

import orjson
import pytest

from dicomweb import qido
from dicomweb.errors import BadRequest
from dicomweb.ports import Match


def parse(*parameters: tuple[str, str]) -> qido.Search:
    return qido.parse("study", None, parameters, max_results=100)


def test_a_value_that_is_said_again_counts_once() -> None:
    found = parse(*[("PatientID", "P-1")] * 1000, ("ModalitiesInStudy", "CT,MR," * 1000))
    assert found.query.matches == {"PatientID": ["P-1"], "ModalitiesInStudy": ["CT", "MR"]}


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "ModalitiesInStudy", "StudyDate"])
def test_more_values_than_a_store_can_be_asked_for_are_refused(keyword: str) -> None:
    values = [f"{20_000_000 + number}" for number in range(qido.MAX_VALUES + 1)]
    with pytest.raises(BadRequest, match=f"values of {keyword}") as refused:
        parse(*[(keyword, value) for value in values])
    assert not any(value in str(refused.value) for value in values)


def test_lists_of_uids_may_be_long() -> None:
    uids = [f"1.2.{number}" for number in range(5000)]
    assert parse(("StudyInstanceUID", ",".join(uids))).query.matches == {"StudyInstanceUID": uids}


def test_more_uids_than_a_store_can_be_asked_for_are_refused() -> None:
    """A search that is posted is as long as any: a hundred thousand were 500."""
    studies = ",".join(f"1.2.{number}" for number in range(qido.MAX_UIDS - 1))
    few = ("SeriesInstanceUID", "1.3"), ("PatientID", "P-1")
    assert parse(("StudyInstanceUID", studies), *few).query.matches
    with pytest.raises(BadRequest, match="more than 10000 UIDs"):
        parse(("StudyInstanceUID", studies), *few, ("SOPInstanceUID", "1.4"))


def told(**stored: object) -> dict[str, object]:
    """Return what is answered of a study, by what its object holds."""
    found = {"0020000D": {"vr": "UI", "Value": ["1.2"]}, **stored}
    for each in (orjson.dumps(found), b"{%s}" % b",\n".join(
        b'"%b":%b' % (tag.encode(), orjson.dumps(found[tag])) for tag in sorted(found)
    )):  # fmt: skip
        (one,) = qido.objects(parse(), [Match(each, each)], "http://here")
        answer: dict[str, object] = orjson.loads(one)
        assert one.count(b'"00080056"') == one.count(b'"vr":"CS"') == 1, one
        assert list(answer) == sorted(answer)
    return answer


def test_what_an_answer_says_itself_takes_the_place_of_what_is_stored() -> None:
    address = {"vr": "UR", "Value": ["http://here/studies/1.2"]}
    online = {"vr": "CS", "Value": ["ONLINE"]}
    stored = {
        "00080056": {"vr": "CS", "Value": ["NEARLINE"]},
        "00081190": {"vr": "UR", "Value": ["http://elsewhere/studies/9"]},
    }
    for each in (told(), told(**stored)):
        assert (each["00080056"], each["00081190"]) == (online, address)


@pytest.mark.parametrize("uid", ["../1", '1.2"}', "1" * 65, "", "\u0661", "1.2\\3", 1.2])
def test_of_what_is_no_uid_no_address_is_made(uid: object) -> None:
    assert "00081190" not in told(**{"0020000D": {"vr": "UI", "Value": [uid]}})


def test_what_is_told_of_ignored_parameters_is_bounded() -> None:
    found = parse(*[(f"Nothing{number}", "1") for number in range(5000)])
    assert 0 < len(found.warnings) <= 20


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "\u0663"),
        ("offset", "\u0663"),
        ("StudyDate", "\u0662" * 8),
        ("StudyTime", "\u0661" * 2),
    ],
)
def test_digits_are_those_of_ascii(name: str, value: str) -> None:
    with pytest.raises(BadRequest):
        parse((name, value))


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [("limit", "5", "6"), ("offset", "0", "7"), ("fuzzymatching", "false", "true")],
)
def test_what_a_search_has_once_is_not_said_twice_in_two_ways(
    name: str, one: str, other: str
) -> None:
    for first, last in ((one, other), (other, one)):
        with pytest.raises(BadRequest, match=f"^{name} is given twice"):
            parse((name, first), ("PatientID", "x"), (name.upper(), last))
    assert parse((name, other), (name, other)).query == parse((name, other)).query


@pytest.mark.parametrize("between", [" ", "^", "*", "?", ",", "="])
def test_a_fuzzy_search_takes_so_many_different_words_of_a_name(between: str) -> None:
    """Each is a condition of its own, of which the index takes no thousand."""
    fuzzy = ("fuzzymatching", "true")
    most = [f"w{number}" for number in range(qido.MAX_WORDS)]
    halves = [between.join(part) for part in (most[:40], [*most[40:], "W0"])]
    assert parse(fuzzy, *(("PatientName", half) for half in halves)).query.fuzzy
    with pytest.raises(BadRequest, match=r"^more than 64 words of PatientName$"):
        parse(("PatientName", between.join([*most, "x"])), fuzzy)
    assert parse(("PatientName", between.join([*most, "x"]))).query.matches


def test_of_instances_every_attribute_can_be_included() -> None:
    asked = [("includefield", "EchoTime,00091002"), ("includefield", "Rows,PatientName")]
    found = qido.parse("instance", None, asked, max_results=9)
    assert found.query.also == {"00180081", "00091002"}
    assert found.query.with_attributes
    assert found.warnings == ()


@pytest.mark.parametrize("name", ["EchoTime", "00180081", "Rows"])
def test_what_a_study_does_not_have_is_not_left_out_in_silence(name: str) -> None:
    found = parse(("includefield", f"StudyDescription,{name}"))
    assert found.query.also == frozenset()
    assert found.warnings == (
        f"The includefield {name} is no attribute of this level and was ignored.",
    )
