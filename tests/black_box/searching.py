"""Search (PS3.18 8.3.4, 10.6)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tests.black_box.checks import Check, expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.black_box.site import Instance, Site

JSON = "application/dicom+json"
LEVELS = {
    "/studies": "study",
    "/series": "series",
    "/instances": "instance",
    "/studies/{study}/series": "series",
    "/studies/{study}/instances": "instance",
    "/studies/{study}/series/{series}/instances": "instance",
}
DEFAULTS = {
    "study": ("0020000D", "00201206", "00201208", "00080061"),
    "series": ("0020000E", "00080060", "00201209"),
    "instance": ("00080018", "00080016"),
}
TAGS = {
    "StudyDate": "00080020", "StudyTime": "00080030", "AccessionNumber": "00080050",
    "ModalitiesInStudy": "00080061",
    "PatientName": "00100010", "PatientID": "00100020", "StudyInstanceUID": "0020000D", "StudyID": "00200010",
    "Modality": "00080060", "SeriesInstanceUID": "0020000E", "SeriesNumber": "00200011",
    "SOPClassUID": "00080016", "SOPInstanceUID": "00080018", "InstanceNumber": "00200013",
}  # fmt: skip
KEYS = {
    "study": (
        "StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "PatientName", "PatientID",
        "StudyInstanceUID", "StudyID",
    ),
    "series": ("Modality", "SeriesInstanceUID", "SeriesNumber"),
    "instance": ("SOPClassUID", "SOPInstanceUID", "InstanceNumber"),
}  # fmt: skip
UID_TAGS = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}
NOWHERE = {
    "StudyDate": "18000101", "StudyTime": "000000.000001", "SeriesNumber": "999999999",
    "InstanceNumber": "999999999",
    "StudyInstanceUID": "1.2.3.4.5", "SeriesInstanceUID": "1.2.3.4.5", "SOPClassUID": "1.2.3.4.5",
    "SOPInstanceUID": "1.2.3.4.5",
}  # fmt: skip


def checks() -> Iterator[Check]:
    """Yield the checks."""
    for path, level in LEVELS.items():
        yield Check("10.6.4", f"search {path} is answered in DICOM JSON", partial(answered, path))
        yield Check(
            "10.6.4",
            f"search {path} is answered to who accepts {JSON}",
            partial(_answered, path, JSON),
        )
        yield Check("10.6.4", f"search {path} is answered in XML", partial(in_xml, path))
        yield Check(
            "8.7.8.1", f"search {path} as a picture is 406", partial(refused, path, "image/png")
        )
        yield Check("10.6.3.3", f"search {path} tells what it must", partial(defaults, path, level))
        yield Check(
            "10.6.3.3", f"search {path} names resources that are there", partial(retrievable, path)
        )
        yield Check("8.3.4.4", f"search {path} heeds limit", partial(limited, path))
        yield Check("8.3.4.4", f"search {path} beyond the end is empty", partial(beyond, path))
        yield Check(
            "8.3.4.4", f"search {path} by pages finds everything once", partial(paged, path, level)
        )
        yield Check("8.3.4.3", f"search {path} includes all", partial(included, path, "all"))
        yield Check(
            "8.3.4.3",
            f"search {path} includes a field by keyword",
            partial(field, path, "PatientName"),
        )
        yield Check(
            "8.3.4.3", f"search {path} includes a field by tag", partial(field, path, "00100010")
        )
        yield Check(
            "8.3.1", f"search {path} ignores what it does not know", partial(ignoring, path)
        )
    for level, keywords in KEYS.items():
        path = {"study": "/studies", "series": "/series", "instance": "/instances"}[level]
        for keyword in keywords:
            for name in (keyword, TAGS[keyword]):
                yield Check(
                    "8.3.4.1",
                    f"search {path}?{name} finds it",
                    partial(found, path, level, keyword, name),
                )
            yield Check(
                "8.3.4.1",
                f"search {path}?{keyword} finds nothing else",
                partial(nothing, path, keyword),
            )
            yield Check(
                "8.3.4.1.1",
                f"search {path}?{keyword}= matches all",
                partial(universal, path, keyword),
            )
    for name, query in (
        ("range", "{0}-{0}"), ("range without an end", "{0}-"), ("range without a beginning", "-{0}"),
    ):  # fmt: skip
        yield Check("8.3.4.1", f"a date matches by {name}", partial(dated, query))
    yield Check("8.3.4.1", "an asterisk stands for the rest of a name", partial(wild, "*"))
    yield Check("8.3.4.1", "a question mark stands for a character", partial(wild, "?"))
    yield Check("8.3.4.1", "UIDs may be several", several)
    yield Check("8.3.4.2", "fuzzy matching is done or warned of", fuzzy)
    yield Check("8.3.4.1", "keys narrow together", together)
    yield Check("10.6.1", "a series key finds in a study", of_study)
    yield Check("10.6.1", "a search in a study that is not there is empty or 404", absent)
    for query in (
        "limit=-1", "limit=x", "offset=-1", "offset=x", "StudyDate=yesterday", "fuzzymatching=maybe",
        "StudyInstanceUID=a.b", "StudyTime=noon",
    ):  # fmt: skip
        yield Check("8.3.4", f"search /studies?{query} is 400", partial(malformed, query))


def where(path: str, site: Site) -> str:
    ct = site.ct
    return path.format(study=ct.study, series=ct.series)


def expected(path: str, level: str, site: Site) -> set[str]:
    ct = site.ct
    among = site.instances
    if "{series}" in path:
        among = site.of_series(ct)
    elif "{study}" in path:
        among = site.of_study(ct)
    names = {"study": "study", "series": "series", "instance": "uid"}
    return {getattr(each, names[level]) for each in among}


def answered(path: str, site: Site, accept: str = "*/*") -> None:
    assert expect(site.ask(where(path, site), accept), 200, JSON).json


def _answered(path: str, accept: str, site: Site) -> None:
    answered(path, site, accept)


def in_xml(path: str, site: Site) -> None:
    accept = 'multipart/related; type="application/dicom+xml"'
    answer = expect(site.ask(where(path, site), accept), 200, "multipart/related")
    assert len(answer.parts) == len(site.ask(where(path, site)).json)


def refused(path: str, accept: str, site: Site) -> None:
    expect(site.ask(where(path, site), accept), 406)


def defaults(path: str, level: str, site: Site) -> None:
    for each in site.ask(where(path, site)).json:
        missing = [tag for tag in DEFAULTS[level] if tag not in each]
        assert not missing, f"without {missing}"


def retrievable(path: str, site: Site) -> None:
    each = site.ask(f"{where(path, site)}?limit=1").json[0]
    address = each["00081190"]["Value"][0]
    expect(site.ask(f"{address}/metadata"))


def limited(path: str, site: Site) -> None:
    assert len(expect(site.ask(f"{where(path, site)}?limit=1")).json) == 1


def beyond(path: str, site: Site) -> None:
    answer = expect(site.ask(f"{where(path, site)}?offset=100000"), {200, 204})
    assert answer.json == []


def paged(path: str, level: str, site: Site) -> None:
    wanted = expected(path, level, site)
    told: list[str] = []
    for offset in range(0, len(wanted) + 3, 3):
        page = site.ask(f"{where(path, site)}?limit=3&offset={offset}").json
        told += [each[UID_TAGS[level]]["Value"][0] for each in page]
    assert sorted(told) == sorted(wanted)


def included(path: str, name: str, site: Site) -> None:
    plain = site.ask(where(path, site)).json
    more = expect(site.ask(f"{where(path, site)}?includefield={name}")).json
    assert all(set(a) <= set(b) for a, b in zip(plain, more, strict=True))


def field(path: str, name: str, site: Site) -> None:
    found = expect(site.ask(f"{where(path, site)}?includefield={name}")).json
    assert all("00100010" in each for each in found)


def ignoring(path: str, site: Site) -> None:
    known = len(site.ask(where(path, site)).json)
    assert len(expect(site.ask(f"{where(path, site)}?nosuchthing=1")).json) == known


def value_of(keyword: str, instance: Instance) -> str:
    """Return the value of a key as a query has it, empty where the instance has none."""
    tag = "00080060" if keyword == "ModalitiesInStudy" else TAGS[keyword]
    values: list[Any] = instance.metadata.get(tag, {}).get("Value", [])
    if not values or values[0] is None:
        return ""
    return str(values[0].get("Alphabetic", "") if isinstance(values[0], dict) else values[0])


def found(path: str, level: str, keyword: str, name: str, site: Site) -> None:
    value = value_of(keyword, site.ct)
    answer = expect(site.ask(path, query={name: value, "limit": "500"})).json
    uid = {"study": site.ct.study, "series": site.ct.series, "instance": site.ct.uid}[level]
    assert uid in {each[UID_TAGS[level]]["Value"][0] for each in answer}


def nothing(path: str, keyword: str, site: Site) -> None:
    value = NOWHERE.get(keyword, "NOSUCHVALUE")
    assert expect(site.ask(path, query={keyword: value}), {200, 204}).json == []


def universal(path: str, keyword: str, site: Site) -> None:
    known = len(site.ask(f"{path}?limit=500").json)
    assert len(expect(site.ask(path, query={keyword: "", "limit": "500"})).json) == known


def dated(query: str, site: Site) -> None:
    dates = (value_of("StudyDate", each) for each in site.instances)
    date = next((each for each in dates if each), "")
    if not date:  # a store of de-identified instances may hold none
        expect(site.ask("/studies", query={"StudyDate": query.format("20200101")}), {200, 204})
        return
    answer = expect(
        site.ask("/studies", query={"StudyDate": query.format(date), "limit": "500"})
    ).json
    found = {each["0020000D"]["Value"][0] for each in answer}
    assert {each.study for each in site.instances if value_of("StudyDate", each) == date} <= found


def wild(sign: str, site: Site) -> None:
    text = value_of("PatientID", site.ct)
    asked = text[:3] + "*" if sign == "*" else f"?{text[1:]}"
    answer = expect(site.ask("/studies", query={"PatientID": asked, "limit": "500"})).json
    assert site.ct.study in {each["0020000D"]["Value"][0] for each in answer}


def several(site: Site) -> None:
    studies = sorted({each.study for each in site.instances})[:2]
    answer = expect(site.ask("/studies", query={"StudyInstanceUID": ",".join(studies)})).json
    assert {each["0020000D"]["Value"][0] for each in answer} == set(studies)


def fuzzy(site: Site) -> None:
    name = value_of("PatientName", site.ct)
    answer = expect(
        site.ask("/studies", query={"PatientName": name[:3], "fuzzymatching": "true"}), {200, 204}
    )
    assert answer.json or "warning" in answer.headers


def together(site: Site) -> None:
    ct = site.ct
    other = next(each for each in site.instances if each.study != ct.study)
    query = {"StudyInstanceUID": ct.study, "SeriesInstanceUID": other.series}
    assert expect(site.ask("/series", query=query), {200, 204}).json == []


def of_study(site: Site) -> None:
    query = {"SeriesInstanceUID": site.ct.series}
    found = expect(site.ask(f"/studies/{site.ct.study}/series", query=query)).json
    assert [each["0020000E"]["Value"][0] for each in found] == [site.ct.series]


def absent(site: Site) -> None:
    answer = expect(site.ask("/studies/1.2.3.4.5/series"), {200, 204, 404})
    assert answer.status == 404 or answer.json == []


def malformed(query: str, site: Site) -> None:
    expect(site.ask(f"/studies?{query}"), 400)
