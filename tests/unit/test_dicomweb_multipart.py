"""The multipart parser: the same parts come out whatever the chunks, and broken bodies are refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomweb.errors import BadRequest
from dicomweb.multipart import MAX_HEADER_BYTES, MultipartParser, PartBegins, PartData

BOUNDARY = "B-1"
Part = tuple[dict[str, str], bytes]


def parsed(body: bytes, sizes: list[int] | None = None, *, max_parts: int = 100) -> list[Part]:
    """Parse a body in chunks of the given sizes, over and over; whole if there are none."""
    parser = MultipartParser(BOUNDARY, max_parts=max_parts)
    parts: list[tuple[dict[str, str], bytearray]] = []
    complete = 0
    position = turn = 0
    while position < len(body):
        size = sizes[turn % len(sizes)] if sizes else len(body)
        for event in parser.feed(body[position : position + size]):
            if isinstance(event, PartBegins):
                parts.append((event.headers, bytearray()))
            elif isinstance(event, PartData):
                assert event.data
                parts[-1][1].extend(event.data)
            else:
                complete += 1
        position += size
        turn += 1
    parser.close()
    assert complete == len(parts)
    return [(headers, bytes(data)) for headers, data in parts]


def feed_all(parser: MultipartParser, chunks: list[bytes]) -> None:
    for chunk in chunks:
        list(parser.feed(chunk))


def body_of(contents: list[bytes], *, preamble: bytes = b"", epilogue: bytes = b"\r\n") -> bytes:
    delimiter = b"--" + BOUNDARY.encode()
    parts = b"".join(
        b"\r\n" + delimiter + b"\r\nContent-Type: application/dicom\r\n\r\n" + content
        for content in contents
    )
    return preamble + parts + b"\r\n" + delimiter + b"--" + epilogue


# Bytes that look like delimiters and header ends are the interesting ones.
tricky = st.lists(
    st.sampled_from(
        [b"\r", b"\n", b"\r\n", b"-", b"--", b"--B", b"\r\n--B", b"\r\n--B-", b"B-1", b"x", b"\0"]
    ),
    max_size=12,
).map(b"".join)


@given(
    contents=st.lists(tricky | st.binary(max_size=300), max_size=5),
    sizes=st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=8),
    preamble=st.sampled_from([b"", b"This is a preamble.\r\n", b"\r\n"]),
)
@settings(max_examples=500, deadline=None)
def test_any_chunking_gives_the_same_parts(
    contents: list[bytes], sizes: list[int], preamble: bytes
) -> None:
    contents = [content for content in contents if b"\r\n--B-1" not in b"\r\n" + content]
    body = body_of(contents, preamble=preamble)
    whole = parsed(body)
    assert [data for _headers, data in whole] == contents
    assert parsed(body, sizes) == whole
    assert all(headers == {"content-type": "application/dicom"} for headers, _data in whole)


@given(cut=st.integers(min_value=1, max_value=90), sizes=st.lists(st.integers(1, 9), min_size=1))
@settings(max_examples=200, deadline=None)
def test_a_body_that_is_cut_short_is_refused(cut: int, sizes: list[int]) -> None:
    body = body_of([b"abc", b"defg"], epilogue=b"")
    with pytest.raises(BadRequest):
        parsed(body[:-cut] if cut < len(body) else b"", sizes)


@given(body=st.binary(max_size=200) | tricky, sizes=st.lists(st.integers(1, 9), min_size=1))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_parsed_or_refused(body: bytes, sizes: list[int]) -> None:
    try:
        parsed(body, sizes)
    except BadRequest:
        return


def test_parts_may_have_no_header_fields_and_no_body() -> None:
    body = b"--B-1\r\n\r\n\r\n--B-1\r\nA: b\r\n\r\n\r\n--B-1--"
    assert parsed(body) == [({}, b""), ({"a": "b"}, b"")]


@pytest.mark.parametrize("count", [15, 16, 17, 100])
@pytest.mark.parametrize("size", [1, 37, 100_000])
def test_parts_are_as_many_however_many_of_them_come_at_once(count: int, size: int) -> None:
    contents = [b"x--B-1\r\n" * number for number in range(count)]
    assert [data for _headers, data in parsed(body_of(contents), [size])] == contents


def test_a_parts_bytes_are_not_copied() -> None:
    parser = MultipartParser(BOUNDARY, max_parts=1)
    chunks = [b"--B-1\r\n\r\n" + bytes(1000), bytes(1000)]
    data = [
        event.data
        for chunk in chunks
        for event in parser.feed(chunk)
        if isinstance(event, PartData)
    ]
    assert [view.obj is chunk for view, chunk in zip(data, chunks, strict=True)] == [True, True]


def test_a_boundary_may_be_followed_by_blanks() -> None:
    assert parsed(b"--B-1 \t \r\n\r\nx\r\n--B-1--") == [({}, b"x")]


def test_a_closed_body_without_parts_has_none() -> None:
    assert parsed(b"--B-1--\r\n") == []


def test_what_follows_the_closing_boundary_is_ignored() -> None:
    assert parsed(body_of([b"x"], epilogue=b"\r\n--B-1\r\n\r\nnot a part")) == [
        ({"content-type": "application/dicom"}, b"x")
    ]


def test_another_boundary_than_announced_is_refused() -> None:
    with pytest.raises(BadRequest):
        parsed(b"--C\r\n\r\nx\r\n--C--")


def test_a_body_that_never_begins_is_refused_before_it_ends() -> None:
    parser = MultipartParser(BOUNDARY, max_parts=1)
    with pytest.raises(BadRequest, match="does not begin"):
        feed_all(parser, [bytes(4096)] * 100)


def test_long_part_headers_are_refused_before_they_end() -> None:
    parser = MultipartParser(BOUNDARY, max_parts=1)
    list(parser.feed(b"--B-1\r\n"))
    with pytest.raises(BadRequest, match="header is longer"):
        feed_all(parser, [b"X-A: " + b"a" * 995] * (MAX_HEADER_BYTES // 1000 + 2))


@pytest.mark.parametrize("line", [b"no colon", b": no name", b"nul: \0"])
def test_malformed_part_headers_are_refused(line: bytes) -> None:
    with pytest.raises(BadRequest, match="malformed"):
        parsed(b"--B-1\r\n" + line + b"\r\n\r\nx\r\n--B-1--")


def test_parts_are_limited() -> None:
    with pytest.raises(BadRequest, match="more than 3 parts"):
        parsed(body_of([b"x"] * 4), max_parts=3)
    assert len(parsed(body_of([b"x"] * 3), max_parts=3)) == 3


@pytest.mark.parametrize("boundary", ["", "a" * 71, "ends with blank ", 'quo"te', "line\r\nend"])
def test_invalid_boundaries_are_refused(boundary: str) -> None:
    with pytest.raises(BadRequest, match="boundary"):
        MultipartParser(boundary, max_parts=1)
