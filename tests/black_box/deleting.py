"""What was deleted (PS3.18 8.5: 410), tried at the end on services that let somebody delete."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.black_box.asking import Client
from tests.black_box.checks import Check, expect
from tests.black_box.storing import send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.black_box.site import Instance, Site

_BELOW = ("", "/metadata", "/frames/1", "/rendered", "/thumbnail", "/bulkdata", "/pixeldata")


def checks(*, is_writable: bool) -> Iterator[Check]:
    """Yield the checks, in an order that they need."""
    yield Check("8.5", "an instance can be deleted", instance_goes, is_required=False)
    for below in _BELOW:
        name = f"an instance that was deleted{below and f', its {below[1:]}'} is 410"
        yield Check("8.5", name, partial(instance_is_gone, below))
    yield Check("8.5", "WADO-URI of an instance that was deleted is 410", uri_is_gone)
    yield Check("10.6", "an instance that was deleted is not found", instance_is_not_found)
    yield Check("8.5", "what a deleted instance leaves is there", rest_is_there)
    yield Check("8.5", "a study can be deleted", study_goes, is_required=False)
    for level in ("study", "series", "instance"):
        for below in ("", "/metadata"):
            name = f"the {level} of a study that was deleted{below and ', its metadata'} is 410"
            yield Check("8.5", name, partial(study_is_gone, level, below))
    yield Check("10.6", "a study that was deleted is not found", study_is_not_found)
    yield Check("8.5", "what never was is 404", never_there)
    if is_writable:
        yield Check("10.5", "what was deleted and is stored again is there", again)


def doomed(site: Site) -> Instance:
    """Return the instance that goes: one of several with pixels."""
    return site.of_series(site.ct)[-1]


def _delete(site: Site, path: str) -> None:
    with Client(site.deletes) as client:
        expect(client.ask(path, "application/json", method="DELETE"), {200, 204})


def instance_goes(site: Site) -> None:
    _delete(site, doomed(site).path)


def instance_is_gone(below: str, site: Site) -> None:
    expect(site.ask(f"{doomed(site).path}{below}", "*/*"), 410)


def uri_is_gone(site: Site) -> None:
    instance = doomed(site)
    query = {
        "requestType": "WADO",
        "studyUID": instance.study,
        "seriesUID": instance.series,
        "objectUID": instance.uid,
    }
    expect(site.ask(site.uri, "*/*", query=query), 410)


def instance_is_not_found(site: Site) -> None:
    instance = doomed(site)
    series = f"/studies/{instance.study}/series/{instance.series}/instances"
    for path in ("/instances", series):
        found = expect(site.ask(path, query={"SOPInstanceUID": instance.uid}), {200, 204})
        assert found.json == []


def rest_is_there(site: Site) -> None:
    instance = doomed(site)
    series = f"/studies/{instance.study}/series/{instance.series}"
    left = expect(site.ask(f"{series}/metadata")).json
    assert len(left) == len(site.of_series(instance)) - 1
    expect(site.ask(f"/studies/{instance.study}", "*/*"))


def study_goes(site: Site) -> None:
    _delete(site, f"/studies/{site.cine.study}")


def study_is_gone(level: str, below: str, site: Site) -> None:
    cine = site.cine
    study = f"/studies/{cine.study}"
    paths = {"study": study, "series": f"{study}/series/{cine.series}", "instance": cine.path}
    expect(site.ask(f"{paths[level]}{below}", "*/*"), 410)


def study_is_not_found(site: Site) -> None:
    query = {"StudyInstanceUID": site.cine.study}
    assert expect(site.ask("/studies", query=query), {200, 204}).json == []
    assert expect(site.ask("/instances", query=query), {200, 204}).json == []


def never_there(site: Site) -> None:
    for path in ("/studies/1.2.3.4.5.6", f"/studies/{site.ct.study}/series/1.2.3.4.5.6"):
        expect(site.ask(path, "*/*"), 404)


def again(site: Site) -> None:
    instance = doomed(site)
    expect(send(site, instance.stored), 200)
    expect(site.ask(instance.path, "*/*"))
    expect(site.ask(f"{instance.path}/metadata"))
