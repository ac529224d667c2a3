"""Reading FHIR JSON: strict where readers differ, exact about decimals."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.errors import Reason, Unsafe
from deid.fhir.reading import Kind, looks_like_fhir, read, write
from deid.tables.fhir import fhir_types
from tests.fhir_samples import run

P = b'{"resourceType":"Patient"'

REFUSED = {
    "a name twice": (P + b',"id":"1","id":"2"}', Reason.DUPLICATE_NAME),
    "a sibling's name twice": (P + b',"_id":{},"_id":{"id":"a"}}', Reason.DUPLICATE_NAME),
    "a name twice, once escaped": (P + b',"id":"1","\\u0069d":"2"}', Reason.DUPLICATE_NAME),
    "a name twice far down": (
        P + b',"contact":[{"name":{"text":"a:b","text":"c"}}]}',
        Reason.DUPLICATE_NAME,
    ),
    "a name twice beside an escaped colon": (
        P + b',"id":"ab","id":"a\\u003ab"}',
        Reason.DUPLICATE_NAME,
    ),
    "nesting of 65": (P + b',"a":' + b"[" * 64 + b"]" * 64 + b"}", Reason.NESTING_TOO_DEEP),
    "nesting of 10 000": (P + b',"a":' + b"[" * 9999 + b"]" * 9999 + b"}", Reason.NESTING_TOO_DEEP),
    "objects in objects": (
        P + b',"a":' + b'{"a":' * 2000 + b"1" + b"}" * 2001,
        Reason.NESTING_TOO_DEEP,
    ),
    "NaN": (P + b',"a":NaN}', Reason.NUMBER_REFUSED),
    "Infinity": (P + b',"a":-Infinity}', Reason.NUMBER_REFUSED),
    "an exponent of 400": (P + b',"a":1e400}', Reason.NUMBER_REFUSED),
    "an exponent of a million digits": (
        P + b',"a":1e' + b"9" * 10**6 + b"}",
        Reason.NUMBER_REFUSED,
    ),
    "a whole number of 400 digits": (P + b',"a":' + b"9" * 400 + b"}", Reason.NUMBER_REFUSED),
    "a whole number of 6000 digits": (P + b',"a":' + b"9" * 6000 + b"}", Reason.NUMBER_REFUSED),
    "a decimal of 400 digits": (P + b',"a":0.' + b"9" * 400 + b"}", Reason.NUMBER_REFUSED),
    "a zero before digits": (P + b',"a":01.5}', Reason.MALFORMED),
    "a space behind a minus sign": (P + b',"a":- 1.5}', Reason.MALFORMED),
    "two minus signs": (P + b',"a":--1.5}', Reason.MALFORMED),
    "a fraction without a number": (P + b',"a":-.5}', Reason.MALFORMED),
    "an exponent after an exponent": (P + b',"a":1.5e3e3}', Reason.MALFORMED),
    "a whole number of 19 digits": (P + b',"a":1234567890123456789}', Reason.NUMBER_REFUSED),
    "a plus sign": (P + b',"a":+1}', Reason.MALFORMED),
    "a comma too many": (P + b",}", Reason.MALFORMED),
    "more behind it": (P + b"} x", Reason.MALFORMED),
    "single quotes": (b"{'resourceType':'Patient'}", Reason.MALFORMED),
    "a null character": (P + b',"a":"x\\u0000"}', Reason.MALFORMED),
    "our own mark of decimals": (P + b',"a":"\\u00011.5"}', Reason.MALFORMED),
    "half a surrogate pair": (P + b',"a":"\\ud800"}', Reason.CHARACTER_ENCODING),
    "bytes that are no UTF-8": (P + b',"a":"\xff"}', Reason.CHARACTER_ENCODING),
    "two byte order marks": (b"\xef\xbb\xbf" * 2 + P + b"}", Reason.CHARACTER_ENCODING),
    "UTF-16 without a mark": ((P + b"}").decode().encode("utf-16-le"), Reason.CHARACTER_ENCODING),
    "half of UTF-16": ((P + b"}").decode().encode("utf-16")[:-1], Reason.CHARACTER_ENCODING),
    "UTF-8 behind a mark of UTF-16": (b"\xff\xfe" + P + b"}", Reason.CHARACTER_ENCODING),
    "half a string": (P + b',"a":"xx', Reason.TRUNCATED),
    "half a character": (P + b',"a":"\xc3', Reason.TRUNCATED),
    "half an object": (P + b',"a":', Reason.TRUNCATED),
    "half a line of NDJSON": (P + b"}\n" + P + b',"a', Reason.TRUNCATED),
    "nothing": (b"", Reason.TRUNCATED),
    "a list": (b"[1]", Reason.NOT_FHIR),
    "an object of something else": (b'{"id":"1"}', Reason.NOT_FHIR),
    "a number for a resource type": (b'{"resourceType":1}', Reason.NOT_FHIR),
    "a line of something else": (P + b"}\n{}\n", Reason.NOT_FHIR),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_readers_differ_on_is_refused_with_its_reason(what: str) -> None:
    source, reason = REFUSED[what]
    with pytest.raises(Unsafe) as refusal:
        read(source)
    assert refusal.value.reason is reason


NOT_REFUSED = {
    "nesting of 64": P + b',"a":' + b"[" * 63 + b"]" * 63 + b"}",
    "equal names in different objects": P + b',"a":{"id":"1"},"b":{"id":"1"}}',
    "colons in texts": P + b',"a":"x:y:\\":5.0,","b":"::"}',
    "a colon and a decimal in a text": P + b',"a":"dose: 5.0, or","b":5.0}',
    "an escaped backslash before what looks like an escape": P + b',"a":"x\\\\u0001"}',
    "an exponent": P + b',"a":1.5E+0299}',
    "eighteen digits": P + b',"a":123456789012345678}',
    "line breaks and tabs in texts": P + b',"a":"x\\r\\n\\ty"}',
}


@pytest.mark.parametrize("what", NOT_REFUSED)
def test_what_every_reader_reads_alike_comes_out_as_it_came_in(what: str) -> None:
    assert write(read(NOT_REFUSED[what])) == NOT_REFUSED[what]


def test_a_byte_order_mark_is_passed_over_and_utf_16_becomes_utf_8() -> None:
    text = '{"resourceType":"Patient","a":"Žofie"}'
    for source in (b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16")):
        assert write(read(source)) == text.encode()


def test_white_space_around_decimals_is_no_part_of_them() -> None:
    document = read(b'{ "resourceType" : "Observation" ,\n  "value" : 1.50 ,"b" : 2.0\n}')
    assert write(document) == b'{"resourceType":"Observation","value":1.50,"b":2.0}'


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
            st.from_regex(
                r"-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
            ),
        ),
        max_size=5,
    )
)
def test_decimals_come_out_as_they_went_in(members: list[tuple[str, str]]) -> None:
    inner = b",".join(
        b'{"value":' + number.encode() + b',"text":' + orjson.dumps(text) + b"}"
        for text, number in members
    )
    source = b'{"resourceType":"Observation","component":[' + inner + b"]}"
    written = write(read(source))
    assert written.replace(b"-0,", b"0,") == source.replace(b"-0,", b"0,")


def test_each_kind_of_document_is_written_in_its_own_form() -> None:
    bundle = b'{"resourceType":"Bundle","type":"collection"}'
    for source, kind in (
        (P + b"}", Kind.RESOURCE),
        (bundle, Kind.BUNDLE),
        (P + b"}\n" + P + b',"id":"2"}\n', Kind.NDJSON),
    ):
        document = read(source)
        assert document.kind is kind
        assert write(document) == source


def test_a_document_on_several_lines_is_no_ndjson() -> None:
    assert read(b'{"resourceType":\n"Patient",\n"meta":{}\n}').kind is Kind.RESOURCE


@pytest.mark.parametrize(
    ("head", "is_fhir"),
    [
        (P, True),
        (b'\n {"id":"1",\n "resourceType" : "Bundle"', True),
        (b"\xef\xbb\xbf" + P, True),
        (P.decode().encode("utf-16"), True),
        (b'{"00080005":{"vr":"CS"}}', False),
        (b'{"resourceType":"patient"}', False),
        (b"[" + P, False),
        (b"<Patient/>", False),
        (b"\xff\xfe\x00", False),
        (b"", False),
    ],
)
def test_fhir_is_told_by_how_a_file_begins(head: bytes, is_fhir: bool) -> None:
    assert looks_like_fhir(head) is is_fhir


def test_a_refusal_holds_no_value_of_the_document() -> None:
    with pytest.raises(Unsafe) as refusal:
        read(P + b',"id":"Thistlemoor","id":"Thistlemoor"}')
    assert "Thistlemoor" not in str(refusal.value)


def test_decimals_of_every_list_come_out_as_they_went_in() -> None:
    lists = [
        (holder, name)
        for holder, elements in fhir_types().items()
        for name, each in elements.items()
        if each.type == "decimal" and each.is_list
    ]
    assert {holder for holder, _ in lists} == {"MolecularSequence.quality.roc"}
    roc = b",".join(b'"%s":[0.50, 1.0,2,-3e2]' % name.encode() for _, name in lists)
    source = (
        b'{"resourceType":"MolecularSequence","quality":[{"type":"snp","score":{"value":1.50},"roc":{'
        + roc
        + b'}}],"note":"roc 1.5, 2.5, [1.5]"}'
    )
    expected = roc.replace(b", ", b",")
    read_back = write(read(source))
    assert expected in read_back
    assert b'"value":1.50' in read_back
    assert b'"note":"roc 1.5, 2.5, [1.5]"' in read_back
    assert expected in run(source).to_bytes()
