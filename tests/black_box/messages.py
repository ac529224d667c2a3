"""What holds for every request: capabilities, caching, compression, ranges, errors (PS3.18 8; RFC 9110)."""

from __future__ import annotations

import gzip
from functools import partial
from typing import TYPE_CHECKING

from tests.black_box.checks import Check, expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.black_box.site import Site

WADL = "application/vnd.sun.wadl+xml"
DICOM = "application/dicom; transfer-syntax=*"
OCTETS = "application/octet-stream"


def checks() -> Iterator[Check]:
    """Yield the checks."""
    yield Check("8.9", "capabilities in WADL", partial(capabilities, WADL), is_required=False)
    yield Check(
        "8.9", "capabilities in JSON", partial(capabilities, "application/json"), is_required=False
    )
    yield Check("8.5", "a path that is none is 404", no_path)
    yield Check("8.5", "a method that is none is 405", no_method)
    for path in (
        "/studies",
        "/studies/{study}/metadata",
        "/studies/{study}/series/{series}/metadata",
    ):
        yield Check("8.4.3", f"{path} in gzip", partial(compressed, path), is_required=False)
        yield Check(
            "8.4.3", f"{path} says what it varies by", partial(varies, path), is_required=False
        )
        yield Check("8.4.3", f"{path} says where it is", partial(located, path), is_required=False)
    for path, accept in (
        ("/studies/{study}/metadata", "*/*"), ("/studies/{study}/series/{series}/instances/{uid}", DICOM),
        ("/studies/{study}/series/{series}/instances/{uid}/frames/1", OCTETS),
        ("/studies/{study}/series/{series}/instances/{uid}/rendered", "image/jpeg"),
    ):  # fmt: skip
        yield Check(
            "8.4.3", f"{path} is 304 to who has it", partial(known, path, accept), is_required=False
        )
    for path, accept in (
        ("/studies/{study}/series/{series}/instances/{uid}", DICOM),
        ("/studies/{study}/series/{series}/instances/{uid}/bulkdata/7FE00010", OCTETS),
    ):  # fmt: skip
        yield Check("8.4.3", f"{path} by range", partial(ranged, path, accept), is_required=False)
    for path in ("/studies/", "/studies/{study}/metadata/", "/studies/{study}/series/"):
        yield Check(
            "8.2", f"{path} with a slash at its end", partial(slashed, path), is_required=False
        )
    for path in (
        "/studies/../../etc/passwd/metadata",
        "/studies/..%2F..%2Fetc/metadata",
        "/studies/1'%20OR%201/metadata",
        "/studies/1.2%00/metadata",
    ):
        yield Check("8.5", f"{path} is no UID", partial(no_uid, path))
    yield Check("8.7.5", "an Accept header of 6000 characters is understood", long_accept)
    yield Check("8.7.5", "an Accept header of nonsense is 406", nonsense)


def where(path: str, site: Site) -> str:
    return path.format(study=site.ct.study, series=site.ct.series, uid=site.ct.uid)


def capabilities(kind: str, site: Site) -> None:
    answer = expect(site.ask("/", kind, method="OPTIONS"), 200, kind)
    assert b"studies" in answer.body


def no_path(site: Site) -> None:
    expect(site.ask("/nothing-here"), 404)


def no_method(site: Site) -> None:
    answer = expect(site.ask(site.ct.path + "/metadata", method="PATCH"), {405, 501})
    assert answer.status == 501 or "allow" in answer.headers


def compressed(path: str, site: Site) -> None:
    plain = site.ask(where(path, site))
    answer = expect(site.ask(where(path, site), Accept_Encoding="gzip"))
    assert answer.headers.get("content-encoding") == "gzip"
    assert gzip.decompress(answer.body) == plain.body


def varies(path: str, site: Site) -> None:
    assert "accept" in site.ask(where(path, site)).headers.get("vary", "").lower()


def located(path: str, site: Site) -> None:
    address = site.ask(where(path, site)).headers["content-location"]
    expect(site.ask(address))


def known(path: str, accept: str, site: Site) -> None:
    etag = expect(site.ask(where(path, site), accept)).headers["etag"]
    answer = expect(site.ask(where(path, site), accept, If_None_Match=etag), 304)
    assert not answer.body


def ranged(path: str, accept: str, site: Site) -> None:
    whole = expect(site.ask(where(path, site), accept)).body
    answer = expect(site.ask(where(path, site), accept, Range="bytes=10-109"), 206)
    assert answer.body == whole[10:110]


def slashed(path: str, site: Site) -> None:
    expect(site.ask(where(path, site)))


def no_uid(path: str, site: Site) -> None:
    expect(site.ask(path), {400, 404})


def long_accept(site: Site) -> None:
    accept = ", ".join(["text/x-nothing;q=0.1"] * 270 + ["application/dicom+json"])
    expect(site.ask("/studies", accept), 200, "application/dicom+json")


def nonsense(site: Site) -> None:
    expect(site.ask("/studies", ';;,=/"q=,,x'), 406)
