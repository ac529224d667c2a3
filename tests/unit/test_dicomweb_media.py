"""Accept headers as clients write them, and what they get."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomweb.media import Offer, choose, parse_accept, parse_content_type

J2K = "1.2.840.10008.1.2.4.90"
EXPLICIT = "1.2.840.10008.1.2.1"
OCTETS = "multipart/related; type=application/octet-stream"
NATIVE = [
    Offer("application/octet-stream", True, frozenset({EXPLICIT})),
    Offer("application/octet-stream", False, frozenset({EXPLICIT})),
]
COMPRESSED = [
    Offer("image/jp2", True, frozenset({J2K})),
    Offer("application/octet-stream", True, frozenset({J2K}), by_default=False),
]
JSON = [Offer("application/dicom+json", False), Offer("application/json", False)]


@pytest.mark.parametrize(
    ("accept", "offers", "expected"),
    [
        # Nothing said, or everything accepted: our first.
        ([], NATIVE, NATIVE[0]),
        ([""], NATIVE, NATIVE[0]),
        (["*/*"], COMPRESSED, COMPRESSED[0]),
        (["*"], JSON, JSON[0]),
        # dicomweb-client
        (['multipart/related; type="*/*"'], COMPRESSED, COMPRESSED[0]),
        (["application/dicom+json, application/json"], JSON, JSON[0]),
        # OHIF and cornerstone: no quotes
        ([f"{OCTETS}; transfer-syntax=*"], COMPRESSED, COMPRESSED[1]),
        ([OCTETS], NATIVE, NATIVE[0]),
        (["application/octet-stream"], NATIVE, NATIVE[1]),
        # Octets without a transfer syntax are uncompressed ones.
        (['multipart/related; type="application/octet-stream"'], COMPRESSED, None),
        ([f"{OCTETS}; transfer-syntax={J2K}"], COMPRESSED, COMPRESSED[1]),
        ([f'multipart/related; type="image/jp2"; transfer-syntax="{J2K}"'], COMPRESSED, COMPRESSED[0]),
        (['multipart/related; type="image/jp2"; transfer-syntax=1.2.3'], COMPRESSED, None),
        (["multipart/related; type=image/*"], COMPRESSED, COMPRESSED[0]),
        (["multipart/related"], COMPRESSED, COMPRESSED[0]),
        (["MULTIPART/Related; TYPE=Image/JP2"], COMPRESSED, COMPRESSED[0]),
        (['multipart/related; type="image/jpeg,image/jp2"'], COMPRESSED, COMPRESSED[0]),
        # Qualities
        (["application/json;q=0.9, application/dicom+json;q=0.5"], JSON, JSON[1]),
        (["application/json, application/dicom+json"], JSON, JSON[1]),
        (["*/*;q=0.1, application/json"], JSON, JSON[1]),
        (["application/dicom+json;q=0, */*"], JSON, JSON[1]),
        (["application/dicom+json;q=0, application/json;q=0"], JSON, None),
        (["application/*;q=0.3"], JSON, JSON[0]),
        (["application/json;q=nonsense"], JSON, JSON[1]),
        # Several fields
        (["text/html", "application/json"], JSON, JSON[1]),
        # Nothing fits
        (["text/html"], JSON, None),
        (["application/dicom+xml"], JSON, None),
        (["garbage"], JSON, None),
        (["application/dicom+json"], NATIVE, None),
        (['multipart/related; type="application/dicom+xml"'], JSON, None),
    ],
)  # fmt: skip
def test_clients_get_what_suits_them(
    accept: list[str], offers: list[Offer], expected: Offer | None
) -> None:
    assert choose(parse_accept(accept), offers) == expected


def test_older_names_of_media_types_are_understood() -> None:
    offers = [Offer("image/jls", True), Offer("image/dicom-rle", True)]
    ranges = parse_accept(['multipart/related; type="image/x-dicom-rle"'])
    assert choose(ranges, offers) == offers[1]


def test_content_types_are_taken_apart() -> None:
    assert parse_content_type('Multipart/Related; Type="application/dicom"; boundary="a;\\"b"') == (
        "multipart/related",
        {"type": "application/dicom", "boundary": 'a;"b'},
    )
    assert parse_content_type("application/dicom;transfer-syntax=1.2") == (
        "application/dicom",
        {"transfer-syntax": "1.2"},
    )
    assert parse_content_type("") == ("", {})


tokens = st.sampled_from(
    [
        "application/dicom", "*/*", "multipart/related", "type=", '"', ";", ",", "q=", "0.5", "\\",
        " ", "transfer-syntax=*", "=", "/",
    ]
)  # fmt: skip


@given(
    values=st.lists(st.text(max_size=60) | st.lists(tokens, max_size=20).map("".join), max_size=3)
)
@settings(max_examples=500, deadline=None)
def test_no_header_is_an_error(values: list[str]) -> None:
    ranges = parse_accept(values)
    for found in ranges:
        assert 0 <= found.quality <= 1
    assert choose(ranges, NATIVE + COMPRESSED) in [None, *NATIVE, *COMPRESSED]


def test_a_hostile_header_is_parsed_in_linear_time() -> None:
    parse_accept(['"' * 100_000, ";" * 100_000, '\\"' * 50_000, "a/b;" * 30_000])


def test_of_very_many_header_fields_the_first_are_read() -> None:
    """A hundred of eight kilobytes took half a second, in which nobody else is served."""
    fields = ["image/png", *[f"a/b{number};q=0.1," * 600 for number in range(100)]]
    found = parse_accept(fields)
    assert found[0].media_type == "image/png"
    assert 500 < len(found) < 1000
    assert parse_accept(["a/b" * 3000, "image/png"]) == []
