"""Store (PS3.18 10.5, annex I), tried on services that take instances."""

from __future__ import annotations

import io
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from pydicom.uid import generate_uid

from daemon.synthetic.ct import make_ct
from daemon.synthetic.encodings import encoded
from daemon.synthetic.patients import PATIENTS
from dicomweb.native_model import as_xml
from tests.black_box.checks import Check, expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.black_box.asking import Answer
    from tests.black_box.site import Site

JSON = "application/dicom+json"
XML = "application/dicom+xml"
KIND = 'multipart/related; type="application/dicom"; boundary=black-box'


def checks() -> Iterator[Check]:
    """Yield the checks."""
    yield Check("10.5.3.1", "an instance is stored", stored)
    yield Check("I.2", "the answer names what was stored", named)
    yield Check("I.2", "the answer says where it is", retrievable)
    yield Check("10.5.3", "the answer in XML", in_xml, is_required=False)
    yield Check("10.5.2", "what was stored is found", found)
    yield Check("10.5.2", "what was stored comes back as it was", unchanged)
    yield Check("10.5.2", "several in one request", several)
    yield Check("10.5.2", "into the study that is named", into_study)
    yield Check("10.5.3.1", "of another study than is named is refused", other_study)
    yield Check("I.2.2", "a refusal gives a reason", reason)
    yield Check("10.5.3.1", "what is no instance beside one that is: 202", partly)
    yield Check("10.5.3.1", "what is no instance is refused", nothing)
    yield Check("10.5.3.1", "the same again is no failure", again)
    for name, body in (
        ("cut short", b"--black-box\r\nContent-Type: application/dicom\r\n\r\nDIC"),
        ("empty", b""),
        ("without parts", b"--black-box--\r\n"),
    ):
        yield Check("10.5.3.1", f"a body {name} is 400", partial(broken, body))
    for kind in ("text/plain", "image/png", "multipart/form-data; boundary=black-box"):
        yield Check("10.5.3.1", f"a body of {kind} is 415", partial(unsupported, kind))
    for kind in (JSON, XML):
        yield Check("10.5.1", f"metadata in {kind} with bulk data", partial(described, kind))
    yield Check("10.5.1", "without a boundary is 400", no_boundary)
    yield Check("10.5.1", "a quoted boundary", quoted)
    yield Check("10.5.1", "a preamble and an epilogue", padded)


def fresh(study: str = "") -> Any:
    """Return an instance that nobody has seen."""
    dataset = make_ct(PATIENTS[6], rows=32)
    dataset.StudyInstanceUID = study or generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return dataset


def body_of(*contents: bytes) -> bytes:
    parts = b"".join(
        b"\r\n--black-box\r\nContent-Type: application/dicom\r\n\r\n" + content
        for content in contents
    )
    return parts + b"\r\n--black-box--\r\n"


def store(
    site: Site, body: bytes, path: str = "/studies", kind: str = KIND, accept: str = JSON
) -> Answer:
    return site.ask(path, accept, method="POST", body=body, Content_Type=kind)


def send(site: Site, *datasets: Any, path: str = "/studies", accept: str = JSON) -> Answer:
    return store(site, body_of(*map(encoded, datasets)), path, accept=accept)


def stored(site: Site) -> None:
    expect(send(site, fresh()), 200)


def named(site: Site) -> None:
    dataset = fresh()
    (item,) = expect(send(site, dataset)).json["00081199"]["Value"]
    assert item["00081155"]["Value"] == [dataset.SOPInstanceUID]
    assert item["00081150"]["Value"] == [dataset.SOPClassUID]


def retrievable(site: Site) -> None:
    (item,) = expect(send(site, fresh())).json["00081199"]["Value"]
    settled(site, item["00081190"]["Value"][0])


def settled(site: Site, path: str) -> Answer:
    """Return the answer once it is there: a server may need a moment."""
    for _ in range(100):
        answer = site.ask(path, "*/*")
        if answer.status != 404:
            break
        time.sleep(0.1)
    return expect(answer)


def in_xml(site: Site) -> None:
    answer = expect(send(site, fresh(), accept=XML), 200, XML)
    assert b"NativeDicomModel" in answer.body


def path_of(dataset: Any) -> str:
    series = f"/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
    return f"{series}/instances/{dataset.SOPInstanceUID}"


def found(site: Site) -> None:
    dataset = fresh()
    send(site, dataset)
    settled(site, f"{path_of(dataset)}/metadata")
    query = {"SOPInstanceUID": dataset.SOPInstanceUID}
    assert len(expect(site.ask("/instances", query=query)).json) == 1


def unchanged(site: Site) -> None:
    dataset = fresh()
    send(site, dataset)
    settled(site, f"{path_of(dataset)}/metadata")
    back = site.ask(path_of(dataset), "application/dicom; transfer-syntax=*").dataset
    assert back.PixelData == dataset.PixelData
    assert back.PatientName == dataset.PatientName


def several(site: Site) -> None:
    assert len(expect(send(site, fresh(), fresh(), fresh())).json["00081199"]["Value"]) == 3


def into_study(site: Site) -> None:
    dataset = fresh()
    expect(send(site, dataset, path=f"/studies/{dataset.StudyInstanceUID}"))


def other_study(site: Site) -> None:
    expect(send(site, fresh(), path=f"/studies/{generate_uid()}"), 409)


def reason(site: Site) -> None:
    (item,) = send(site, fresh(), path=f"/studies/{generate_uid()}").json["00081198"]["Value"]
    assert isinstance(item["00081197"]["Value"][0], int)


def partly(site: Site) -> None:
    answer = expect(store(site, body_of(encoded(fresh()), b"no instance at all")), 202)
    assert len(answer.json["00081199"]["Value"]) == 1


def nothing(site: Site) -> None:
    expect(store(site, body_of(b"no instance at all")), {400, 409})


def again(site: Site) -> None:
    dataset = fresh()
    send(site, dataset)
    expect(send(site, dataset), {200, 202, 409})


def broken(body: bytes, site: Site) -> None:
    expect(store(site, body), 400)


def unsupported(kind: str, site: Site) -> None:
    expect(store(site, body_of(encoded(fresh())), kind=kind), 415)


def described(kind: str, site: Site) -> None:
    dataset = fresh()
    told = dataset.to_json_dict(bulk_data_threshold=1 << 30)
    told["7FE00010"] = {"vr": "OW", "BulkDataURI": "bulk/1"}
    document = orjson.dumps([told]) if kind == JSON else as_xml(told)
    between = "Content-Type: application/octet-stream\r\nContent-Location: bulk/1"
    body = (
        f"\r\n--black-box\r\nContent-Type: {kind}\r\n\r\n".encode()
        + document
        + f"\r\n--black-box\r\n{between}\r\n\r\n".encode()
        + dataset.PixelData
        + b"\r\n--black-box--\r\n"
    )
    expect(store(site, body, kind=f'multipart/related; type="{kind}"; boundary=black-box'))
    settled(site, f"{path_of(dataset)}/metadata")
    back = site.ask(path_of(dataset), "application/dicom; transfer-syntax=*").dataset
    assert back.PixelData == dataset.PixelData
    assert back.PatientID == dataset.PatientID


def no_boundary(site: Site) -> None:
    kind = 'multipart/related; type="application/dicom"'
    expect(store(site, body_of(encoded(fresh())), kind=kind), {400, 415})


def quoted(site: Site) -> None:
    kind = 'multipart/related; type="application/dicom"; boundary="black-box"'
    expect(store(site, body_of(encoded(fresh())), kind=kind))


def padded(site: Site) -> None:
    body = io.BytesIO()
    body.write(b"what comes before is nothing")
    body.write(body_of(encoded(fresh())))
    body.write(b"nor is what comes after")
    expect(store(site, body.getvalue()))
