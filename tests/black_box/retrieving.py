"""Retrieve instances, metadata, frames and bulk data (PS3.18 8.7, 10.4)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pydicom

from tests.black_box.checks import Check, expect
from tests.black_box.site import EXPLICIT, LOSSLESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.black_box.site import Instance, Site

DICOM = "application/dicom"
IN_PARTS = f'multipart/related; type="{DICOM}"'
OCTETS = "application/octet-stream"
OCTETS_IN_PARTS = f'multipart/related; type="{OCTETS}"'
LEVELS = ("study", "series", "instance")


def checks() -> Iterator[Check]:
    """Yield the checks."""
    for level in LEVELS:
        for accept in (
            "*/*",
            IN_PARTS,
            "multipart/related",
            f"multipart/related; type={DICOM}",
            f"{IN_PARTS}; transfer-syntax=*",
        ):
            yield Check(
                "10.4.3.3.1",
                f"retrieve a {level} to who accepts {accept}",
                partial(whole, level, accept),
            )
        yield Check(
            "8.7.3.5.2",
            f"retrieve a {level}: each part says its transfer syntax",
            partial(told_syntax, level),
        )
        yield Check("8.7.5", f"retrieve a {level}: the best by weight", partial(weighed, level))
        yield Check(
            "8.3.3.1", f"retrieve a {level}: accept as a parameter", partial(by_parameter, level)
        )
        yield Check(
            "8.7.8.1", f"retrieve a {level} as HTML is 406", partial(unacceptable, level, "")
        )
        yield Check(
            "10.4.3.1", f"retrieve a {level} that is not there is 404", partial(missing, level, "")
        )
        yield Check("10.4.3.3.2", f"metadata of a {level} in DICOM JSON", partial(described, level))
        yield Check(
            "F.2.2",
            f"metadata of a {level}: tags ascend, no group lengths",
            partial(ordered, level),
        )
        yield Check(
            "F.2.6", f"metadata of a {level}: no pixel data inline", partial(without_pixels, level)
        )
        yield Check(
            "8.7.8.1",
            f"metadata of a {level} as a picture is 406",
            partial(unacceptable, level, "/metadata"),
        )
        yield Check(
            "10.4.3.1",
            f"metadata of a {level} that is not there is 404",
            partial(missing, level, "/metadata"),
        )
        yield Check(
            "10.4.1.1.5", f"all bulk data of a {level}", partial(all_bulk, level, "/bulkdata")
        )
        yield Check(
            "10.4.1.1.6", f"all pixel data of a {level}", partial(all_bulk, level, "/pixeldata")
        )
        yield Check(
            "10.4.4", f"a {level} as an archive", partial(archive, level), is_required=False
        )
    yield Check("10.4.4", "an instance outside of multipart", alone)
    yield Check("F.2.2", "metadata says what the instance says", alike)
    yield Check("F.2.2", "person names have component groups", names)
    yield Check("F.2.7", "bulk data is named by an address that is there", bulk)
    yield Check("8.7.3.3", "bulk data comes in a part", partial(bulk, accept=OCTETS_IN_PARTS))
    yield Check("10.4.3.1", "bulk data that is not there is 404", no_bulk)
    for syntax, kind in LOSSLESS.items():
        yield Check("8.7.3.4", f"{syntax} decoded as an instance", partial(decoded, syntax))
        yield Check("8.7.3.4", f"{syntax} decoded as a frame", partial(decoded_frame, syntax))
        yield Check("8.7.3.4", f"{syntax} as it is stored", partial(as_stored, syntax))
        yield Check("8.7.3.5.2", f"{syntax} by its name", partial(by_name, syntax))
        yield Check("8.7.3.3", f"a frame in {syntax} is {kind}", partial(frame_kind, syntax, kind))
    yield Check("8.7.3.4", "what lost something is not decoded as an instance", partial(lossy, ""))
    yield Check(
        "8.7.3.4", "what lost something is not decoded as a frame", partial(lossy, "/frames/1")
    )
    yield Check("8.7.3.4", "what lost something comes as it is", lossy_as_stored)
    for accept in (
        "*/*",
        OCTETS,
        OCTETS_IN_PARTS,
        f"{OCTETS_IN_PARTS}; transfer-syntax={EXPLICIT}",
        f"multipart/related; type={OCTETS}",
    ):
        yield Check("10.4.3.3.3", f"a native frame to who accepts {accept}", partial(frame, accept))
    for numbers in ([1], [2, 1], [1, 2, 3]):
        yield Check(
            "10.4.1.1.4", f"frames {numbers} in the order asked for", partial(frames, numbers)
        )
    for text, status in (
        ("0", {400, 404}),
        ("99999", {404}),
        ("a", {400, 404}),
        ("1,99999", {404}),
        ("-1", {400, 404}),
    ):
        yield Check(
            "10.4.3.1",
            f"frames {text} is {' or '.join(map(str, sorted(status)))}",
            partial(wrong_frame, text, status),
        )
    yield Check("10.4.3.1", "frames of an instance without pixels are 404 or 406", frameless)
    yield Check("8.7.8.1", "frames as HTML are 406", partial(unacceptable, "instance", "/frames/1"))
    yield Check("8.4.1", "HEAD tells what GET tells", head)


def path_of(level: str, instance: Instance) -> str:
    series = f"/studies/{instance.study}/series/{instance.series}"
    return {"study": f"/studies/{instance.study}", "series": series, "instance": instance.path}[
        level
    ]


def among(level: str, instance: Instance, site: Site) -> list[Instance]:
    if level == "instance":
        return [instance]
    return site.of_study(instance) if level == "study" else site.of_series(instance)


def whole(level: str, accept: str, site: Site) -> None:
    answer = expect(site.ask(path_of(level, site.ct), accept), 200, "multipart/related")
    assert "application/dicom" in answer.headers["content-type"]
    found = sorted(part.dataset.SOPInstanceUID for part in answer.parts)
    assert found == sorted(each.uid for each in among(level, site.ct, site))


def told_syntax(level: str, site: Site) -> None:
    for part in site.ask(path_of(level, site.ct), f"{IN_PARTS}; transfer-syntax=*").parts:
        syntax = part.dataset.file_meta.TransferSyntaxUID
        told = part.headers["content-type"].replace('"', "")
        assert f"transfer-syntax={syntax}" in told or (
            syntax == EXPLICIT and "transfer-syntax" not in told
        )


def weighed(level: str, site: Site) -> None:
    accept = f"text/html;q=1, {IN_PARTS};q=0.5, image/webp;q=0.9"
    expect(site.ask(path_of(level, site.ct), accept), 200, "multipart/related")


def by_parameter(level: str, site: Site) -> None:
    query = {"accept": f"{IN_PARTS}; transfer-syntax=*"}
    expect(site.ask(path_of(level, site.ct), "*/*", query=query), 200, "multipart/related")


def unacceptable(level: str, resource: str, site: Site) -> None:
    accept = "image/x-nothing" if resource == "/metadata" else "text/x-nothing"
    expect(site.ask(path_of(level, site.ct) + resource, accept), 406)


def missing(level: str, resource: str, site: Site) -> None:
    absent = {
        "study": "/studies/1.2.3.4.5",
        "series": f"/studies/{site.ct.study}/series/1.2.3.4.5",
        "instance": f"/studies/{site.ct.study}/series/{site.ct.series}/instances/1.2.3.4.5",
    }
    expect(site.ask(absent[level] + resource), 404)


def metadata(level: str, site: Site) -> list[dict[str, Any]]:
    answer = expect(site.ask(f"{path_of(level, site.ct)}/metadata", "application/dicom+json"), 200)
    assert answer.kind == "application/dicom+json"
    found: list[dict[str, Any]] = answer.json
    return found


def described(level: str, site: Site) -> None:
    found = sorted(each["00080018"]["Value"][0] for each in metadata(level, site))
    assert found == sorted(each.uid for each in among(level, site.ct, site))


def in_xml(level: str, site: Site) -> None:
    accept = 'multipart/related; type="application/dicom+xml"'
    answer = expect(
        site.ask(f"{path_of(level, site.ct)}/metadata", accept), 200, "multipart/related"
    )
    assert len(answer.parts) == len(among(level, site.ct, site))
    for part in answer.parts:
        assert ET.fromstring(part.body).tag.endswith("NativeDicomModel")


def ordered(level: str, site: Site) -> None:
    for each in metadata(level, site):
        assert list(each) == sorted(each)
        assert not [tag for tag in each if tag.endswith("0000")]


def without_pixels(level: str, site: Site) -> None:
    for each in metadata(level, site):
        pixels = each.get("7FE00010", {})
        assert "InlineBinary" not in pixels
        assert "Value" not in pixels


def all_bulk(level: str, resource: str, site: Site) -> None:
    instance = site.ct
    answer = expect(
        site.ask(path_of(level, instance) + resource, OCTETS_IN_PARTS), 200, "multipart/related"
    )
    assert instance.stored.PixelData in {part.body for part in answer.parts}


def archive(level: str, site: Site) -> None:
    answer = expect(site.ask(path_of(level, site.ct), "application/zip"), 200, "application/zip")
    assert answer.body.startswith(b"PK")


def alone(site: Site) -> None:
    answer = expect(site.ask(site.ct.path, DICOM), 200, DICOM)
    assert answer.dataset.SOPInstanceUID == site.ct.uid


def alike(site: Site) -> None:
    told = pydicom.Dataset.from_json(dict(site.ct.metadata), bulk_data_uri_handler=lambda _uri: b"")
    for keyword in (
        "SOPClassUID",
        "Rows",
        "Columns",
        "Modality",
        "PatientID",
        "RescaleSlope",
        "ImagePositionPatient",
    ):
        assert told.get(keyword) == site.ct.stored.get(keyword), keyword


def names(site: Site) -> None:
    (name,) = site.ct.metadata["00100010"]["Value"]
    assert set(name) <= {"Alphabetic", "Ideographic", "Phonetic"}
    assert name


def bulk(site: Site, accept: str = OCTETS) -> None:
    address = site.ct.metadata["7FE00010"]["BulkDataURI"]
    answer = expect(site.ask(address, accept))
    body = answer.parts[0].body if answer.kind.startswith("multipart") else answer.body
    assert body == site.ct.stored.PixelData


def no_bulk(site: Site) -> None:
    expect(site.ask(f"{site.ct.path}/bulkdata/00990099"), 404)


def only_body(site: Site, path: str, accept: str) -> bytes:
    answer = expect(site.ask(path, accept))
    return answer.parts[0].body if answer.kind.startswith("multipart") else answer.body


def decoded(syntax: str, site: Site) -> None:
    instance = site.in_syntax(syntax)
    accept = f"{DICOM}; transfer-syntax={EXPLICIT}"
    back = expect(site.ask(instance.path, accept), 200, DICOM).dataset
    assert back.file_meta.TransferSyntaxUID == EXPLICIT
    size = len(instance.samples())
    assert back.PixelData[:size] == instance.samples()


def decoded_frame(syntax: str, site: Site) -> None:
    instance = site.in_syntax(syntax)
    assert only_body(site, f"{instance.path}/frames/1", OCTETS_IN_PARTS) == instance.samples()


def as_stored(syntax: str, site: Site) -> None:
    instance = site.in_syntax(syntax)
    (part,) = expect(site.ask(instance.path, f"{IN_PARTS}; transfer-syntax=*")).parts
    assert part.dataset.file_meta.TransferSyntaxUID == syntax


def by_name(syntax: str, site: Site) -> None:
    instance = site.in_syntax(syntax)
    answer = expect(site.ask(instance.path, f"{DICOM}; transfer-syntax={syntax}"), 200, DICOM)
    assert answer.dataset.file_meta.TransferSyntaxUID == syntax


def frame_kind(syntax: str, kind: str, site: Site) -> None:
    instance = site.in_syntax(syntax)
    accept = f'multipart/related; type="{kind}"; transfer-syntax={syntax}'
    (part,) = expect(site.ask(f"{instance.path}/frames/1", accept)).parts
    assert part.kind == kind


def lossy(resource: str, site: Site) -> None:
    kind = OCTETS if resource else DICOM
    expect(
        site.ask(
            site.lossy.path + resource,
            f'multipart/related; type="{kind}"; transfer-syntax={EXPLICIT}',
        ),
        406,
    )


def lossy_as_stored(site: Site) -> None:
    answer = expect(site.ask(site.lossy.path, f"{DICOM}; transfer-syntax=*"))
    assert answer.dataset.file_meta.TransferSyntaxUID == site.lossy.syntax


def frame(accept: str, site: Site) -> None:
    assert only_body(site, f"{site.ct.path}/frames/1", accept) == site.ct.stored.PixelData


def frames(numbers: list[int], site: Site) -> None:
    path = f"{site.cine.path}/frames/{','.join(map(str, numbers))}"
    found = [part.body for part in expect(site.ask(path, OCTETS_IN_PARTS)).parts]
    assert found == [site.cine.samples(number) for number in numbers]


def wrong_frame(text: str, status: set[int], site: Site) -> None:
    expect(site.ask(f"{site.cine.path}/frames/{text}", OCTETS_IN_PARTS), status)


def frameless(site: Site) -> None:
    expect(site.ask(f"{site.report.path}/frames/1", OCTETS_IN_PARTS), {404, 406})


def head(site: Site) -> None:
    told = site.ask(f"{site.ct.path}/metadata", method="HEAD")
    assert (told.status, told.body) == (200, b"")
