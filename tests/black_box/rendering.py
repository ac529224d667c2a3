"""Rendered and thumbnail resources (PS3.18 8.3.5, 8.7.4, 10.4), and WADO-URI (9)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PIL import ImageChops

from tests.black_box.asking import picture_of
from tests.black_box.checks import Check, expect
from tests.black_box.site import EXPLICIT, LOSSLESS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from PIL.Image import Image

    from tests.black_box.site import Instance, Site

KINDS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}
BROWSERS = {
    "Chrome": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "Firefox": "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
    "Safari": "image/webp,image/avif,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
    "a page's address": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
}
MALFORMED = (
    "window=40,0,linear", "window=40", "window=40,400", "window=a,b,linear", "window=40,400,cubic", "window=",
    "viewport=0,0", "viewport=100", "viewport=a,b", "viewport=-1,10", "viewport=10,0", "viewport=10,10,0,0",
    "quality=0", "quality=101", "quality=x", "iccprofile=x", "annotation=",
)  # fmt: skip
VIEWPORTS = {
    "64,64": None, "100,50": None, "50,100": None, "1000,1000": None, "32,32,0,0,64,64": (32, 32),
    "64,32,10,20,128,64": (64, 32), "32,32,,,64,64": (32, 32),
}  # fmt: skip


def checks() -> Iterator[Check]:
    """Yield the checks."""
    for kind in KINDS:
        yield Check("8.7.4", f"an instance rendered as {kind}", partial(rendered, kind))
        yield Check("8.7.4", f"a frame rendered as {kind}", partial(frame_rendered, kind))
        yield Check(
            "10.4.1.1.3", f"a series rendered as {kind} in parts", partial(in_parts, "series", kind)
        )
        yield Check("8.3.3.1", f"rendered with accept={kind}", partial(by_parameter, kind))
    yield Check("8.7.4", "the default picture is a JPEG", default)
    for name, accept in BROWSERS.items():
        yield Check("8.7.5", f"a picture for what {name} accepts", partial(for_browser, accept))
        yield Check(
            "8.7.5",
            f"a picture of several frames for what {name} accepts",
            partial(cine_for_browser, accept),
        )
    yield Check("10.4.1.1.3", "a study rendered in parts", partial(in_parts, "study", "image/jpeg"))
    yield Check("10.4.4", "a series as one picture is 406 or one of it", series_alone)
    for accept in ("text/x-nothing", "video/x-nothing", "image/x-nothing"):
        yield Check("8.7.8.1", f"rendered as {accept} is 406", partial(refused, accept))
    for query in MALFORMED:
        yield Check("8.3.5", f"rendered with {query} is 400", partial(malformed, query))
    for viewport, size in VIEWPORTS.items():
        yield Check("8.3.5.1.3", f"viewport={viewport}", partial(fitted, viewport, size))
    for name, region in (("across", "-64,64"), ("down", "64,-64"), ("both ways", "-64,-64")):
        yield Check("8.3.5.1.3", f"a region mirrored {name}", partial(mirrored, region))
    for function in ("linear", "linear-exact", "sigmoid"):
        yield Check("8.3.5.1.4", f"window with {function}", partial(windowed, function))
    yield Check("8.3.5.1.4", "the window decides what is black and white", extremes)
    yield Check("8.3.5.1.2", "quality decides the size", quality)
    for profile in ("no", "yes", "srgb"):
        yield Check("8.3.5.1.5", f"iccprofile={profile}", partial(asked, f"iccprofile={profile}"))
    for keywords in ("patient", "technique", "patient,technique"):
        yield Check("8.3.5.1.1", f"annotation={keywords} is drawn", partial(annotated, keywords))
    yield Check(
        "8.3.1", "a parameter that is none of rendering is ignored", partial(asked, "nosuchthing=1")
    )
    yield Check("8.7.4", "a GIF of several frames moves", moving, is_required=False)
    yield Check("10.4.1.1.3", "several frames rendered in the order asked for", frames)
    for text, status in (("99999", {404}), ("0", {400, 404}), ("x", {400, 404})):
        yield Check(
            "10.4.3.1", f"frame {text} rendered is not there", partial(wrong_frame, text, status)
        )
    for level in ("study", "series", "instance", "frame"):
        yield Check("10.4.1.1.7", f"a thumbnail of a {level}", partial(thumbnail, level))
        yield Check("10.4.1.1.7", f"a thumbnail of a {level} in a viewport", partial(small, level))
    yield Check("8.3.5.1.3", "a thumbnail with viewport=0,0 is 400", thumbnail_of_nothing)
    for syntax in LOSSLESS:
        yield Check("8.7.4", f"{syntax} is rendered", partial(of_syntax, syntax))
    yield Check("8.7.4", "what lost something is rendered", lossy)
    yield Check("8.3.5", "a presentation state is rendered", presented)
    yield Check("8.7.8.1", "what has no picture is 406 as a picture", report)
    for kind in ("text/html", "text/plain"):
        yield Check("8.7.4", f"a report rendered as {kind}", partial(report_as, kind))
    for resource in ("/rendered", "/thumbnail"):
        yield Check(
            "10.4.3.1", f"{resource} of what is not there is 404", partial(absent, resource)
        )
    yield from by_uri()


def by_uri() -> Iterator[Check]:
    """Yield the checks of the URI service."""
    yield Check("9.5", "by URI, a JPEG by default", uri_default)
    for kind in KINDS:
        yield Check("9.1.2.2.1", f"by URI, contentType={kind}", partial(uri_kind, kind))
    yield Check("9.4", "by URI, an instance", uri_instance)
    yield Check("9.4", "by URI, an instance in Explicit VR Little Endian", uri_syntax)
    for name in ("requestType", "studyUID", "seriesUID", "objectUID"):
        yield Check("9.1.2.1", f"by URI, without {name} is 400", partial(uri_without, name))
    for query in (
        "requestType=WADX", "rows=0", "columns=x", "windowCenter=40", "windowWidth=400",
        "windowWidth=0&windowCenter=1", "imageQuality=0", "imageQuality=101", "region=0,0,2,2",
        "region=1,1,0,0", "frameNumber=0", "frameNumber=999", "contentType=application/dicom&rows=5",
        "presentationUID=1.2.3",
    ):  # fmt: skip
        yield Check("9.1.2", f"by URI, {query} is 400", partial(uri_malformed, query))
    for name in ("studyUID", "seriesUID", "objectUID"):
        yield Check("9.4.3", f"by URI, another {name} is 404", partial(uri_absent, name))
    yield Check("9.1.2.2.1", "by URI, a type that cannot be is 406", uri_refused)
    yield Check("9.5.1", "by URI, rows and columns bound the size", uri_size)
    yield Check("9.5.1", "by URI, a region is cut out", uri_region)
    yield Check("9.5.1", "by URI, a window is applied", uri_window)
    yield Check("9.5.2", "by URI, a frame of several", uri_frame)
    yield Check("9.5.1", "by URI, a presentation state is applied", uri_state)
    yield Check("9.5.1", "by URI, annotation=patient", uri_annotation)


def picture(site: Site, path: str, accept: str = "image/png") -> Image:
    answer = expect(site.ask(path, accept))
    return answer.picture


def size(instance: Instance) -> tuple[int, int]:
    return instance.stored.Columns, instance.stored.Rows


def rendered(kind: str, site: Site) -> None:
    answer = expect(site.ask(f"{site.ct.path}/rendered", kind), 200, kind)
    assert (answer.picture.format, answer.picture.size) == (KINDS[kind], size(site.ct))


def frame_rendered(kind: str, site: Site) -> None:
    answer = expect(site.ask(f"{site.cine.path}/frames/2/rendered", kind), 200, kind)
    assert answer.picture.size == size(site.cine)


def in_parts(level: str, kind: str, site: Site) -> None:
    path = f"/studies/{site.ct.study}" + (f"/series/{site.ct.series}" if level == "series" else "")
    answer = expect(site.ask(f"{path}/rendered", f'multipart/related; type="{kind}"'), 200)
    assert len(answer.parts) >= len(site.of_series(site.ct))
    assert {part.kind for part in answer.parts} == {kind}
    assert picture_of(answer.parts[0].body).format == KINDS[kind]


def by_parameter(kind: str, site: Site) -> None:
    expect(site.ask(f"{site.ct.path}/rendered?accept={kind}", "*/*"), 200, kind)


def default(site: Site) -> None:
    expect(site.ask(f"{site.ct.path}/rendered", "*/*"), 200, "image/jpeg")


def for_browser(accept: str, site: Site) -> None:
    answer = expect(site.ask(f"{site.ct.path}/rendered", accept))
    assert answer.kind in KINDS
    assert answer.picture.size == size(site.ct)


def cine_for_browser(accept: str, site: Site) -> None:
    answer = expect(site.ask(f"{site.cine.path}/rendered", accept))
    assert answer.kind in KINDS


def series_alone(site: Site) -> None:
    path = f"/studies/{site.ct.study}/series/{site.ct.series}/rendered"
    expect(site.ask(path, "image/jpeg"), {200, 406})


def refused(accept: str, site: Site) -> None:
    expect(site.ask(f"{site.ct.path}/rendered", accept), 406)


def asked(query: str, site: Site) -> None:
    expect(site.ask(f"{site.ct.path}/rendered?{query}", "image/png"), 200, "image/png")


def malformed(query: str, site: Site) -> None:
    expect(site.ask(f"{site.ct.path}/rendered?{query}", "image/jpeg"), 400)


def fitted(viewport: str, exactly: tuple[int, int] | None, site: Site) -> None:
    found = picture(site, f"{site.ct.path}/rendered?viewport={viewport}").size
    width, height = (int(part) for part in viewport.split(",")[:2])
    assert found[0] <= width
    assert found[1] <= height
    assert found[0] == width or found[1] == height
    assert exactly is None or found == exactly


def mirrored(region: str, site: Site) -> None:
    plain = picture(site, f"{site.ct.path}/rendered?viewport=64,64,100,120,64,64")
    across, down = (int(part) < 0 for part in region.split(","))
    expected = plain.convert("L")
    for is_asked, way in ((across, 0), (down, 1)):  # FLIP_LEFT_RIGHT, FLIP_TOP_BOTTOM
        expected = expected.transpose(way) if is_asked else expected  # type: ignore[arg-type]
    found = picture(site, f"{site.ct.path}/rendered?viewport=64,64,100,120,{region}").convert("L")
    assert ImageChops.difference(found, expected).getbbox() is None


def windowed(function: str, site: Site) -> None:
    wide = picture(site, f"{site.ct.path}/rendered?window=0,4000,{function}").convert("L")
    narrow = picture(site, f"{site.ct.path}/rendered?window=0,40,{function}").convert("L")
    assert wide.histogram() != narrow.histogram()


def extremes(site: Site) -> None:
    black = picture(site, f"{site.ct.path}/rendered?window=30000,10,linear").convert("L")
    white = picture(site, f"{site.ct.path}/rendered?window=-30000,10,linear").convert("L")
    assert black.getextrema() == (0, 0)
    assert white.getextrema() == (255, 255)


def quality(site: Site) -> None:
    sizes = [
        len(expect(site.ask(f"{site.ct.path}/rendered?quality={each}", "image/jpeg")).body)
        for each in (100, 10)
    ]
    assert sizes[1] < sizes[0]


def annotated(keywords: str, site: Site) -> None:
    plain = picture(site, f"{site.ct.path}/rendered").convert("L")
    written = picture(site, f"{site.ct.path}/rendered?annotation={keywords}").convert("L")
    assert ImageChops.difference(plain, written).getbbox() is not None


def moving(site: Site) -> None:
    found = picture(site, f"{site.cine.path}/rendered", "image/gif")
    assert getattr(found, "n_frames", 1) == site.cine.frames


def frames(site: Site) -> None:
    accept = 'multipart/related; type="image/png"'
    answer = expect(site.ask(f"{site.cine.path}/frames/2,1/rendered", accept))
    assert len(answer.parts) == 2


def wrong_frame(text: str, status: Collection[int], site: Site) -> None:
    expect(site.ask(f"{site.cine.path}/frames/{text}/rendered", "image/jpeg"), status)


def thumbnail_path(level: str, site: Site) -> str:
    return {
        "study": f"/studies/{site.ct.study}",
        "series": f"/studies/{site.ct.study}/series/{site.ct.series}",
        "instance": site.ct.path,
        "frame": f"{site.cine.path}/frames/1",
    }[level]


def thumbnail(level: str, site: Site) -> None:
    answer = expect(site.ask(f"{thumbnail_path(level, site)}/thumbnail", "image/*"))
    assert max(answer.picture.size) <= 512


def small(level: str, site: Site) -> None:
    path = f"{thumbnail_path(level, site)}/thumbnail?viewport=40,40"
    assert max(picture(site, path, "image/jpeg").size) == 40


def thumbnail_of_nothing(site: Site) -> None:
    expect(site.ask(f"{site.ct.path}/thumbnail?viewport=0,0", "image/jpeg"), 400)


def of_syntax(syntax: str, site: Site) -> None:
    instance = site.in_syntax(syntax)
    path = f"{instance.path}/frames/1/rendered"
    assert picture(site, path).size == size(instance)


def lossy(site: Site) -> None:
    assert picture(site, f"{site.lossy.path}/rendered").size == size(site.lossy)


def presented(site: Site) -> None:
    answer = expect(
        site.ask(f"{site.state.path}/rendered", 'image/png, multipart/related; type="image/png"')
    )
    body = answer.parts[0].body if answer.kind.startswith("multipart") else answer.body
    assert picture_of(body).format == "PNG"


def report(site: Site) -> None:
    expect(site.ask(f"{site.report.path}/rendered", "image/jpeg"), 406)


def report_as(kind: str, site: Site) -> None:
    assert expect(site.ask(f"{site.report.path}/rendered", kind), 200, kind).body


def absent(resource: str, site: Site) -> None:
    series = f"/studies/{site.ct.study}/series/{site.ct.series}"
    expect(site.ask(f"{series}/instances/1.2.3.4.5{resource}", "image/jpeg"), 404)


def uri(site: Site, instance: Instance, more: str = "") -> str:
    named = f"studyUID={instance.study}&seriesUID={instance.series}&objectUID={instance.uid}"
    return f"{site.uri}?requestType=WADO&{named}" + (f"&{more}" if more else "")


def uri_default(site: Site) -> None:
    expect(site.ask(uri(site, site.ct)), 200, "image/jpeg")


def uri_kind(kind: str, site: Site) -> None:
    answer = expect(site.ask(uri(site, site.ct, f"contentType={kind}")), 200, kind)
    assert answer.picture.format == KINDS[kind]


def uri_instance(site: Site) -> None:
    answer = expect(
        site.ask(uri(site, site.ct, "contentType=application/dicom")), 200, "application/dicom"
    )
    assert answer.dataset.SOPInstanceUID == site.ct.uid


def uri_syntax(site: Site) -> None:
    instance = site.in_syntax("1.2.840.10008.1.2.5")
    more = f"contentType=application/dicom&transferSyntax={EXPLICIT}"
    assert (
        expect(site.ask(uri(site, instance, more))).dataset.file_meta.TransferSyntaxUID == EXPLICIT
    )


def uri_without(name: str, site: Site) -> None:
    path, _, query = uri(site, site.ct).partition("?")
    kept = "&".join(each for each in query.split("&") if not each.startswith(f"{name}="))
    expect(site.ask(f"{path}?{kept}"), 400)


def uri_malformed(query: str, site: Site) -> None:
    names = {each.partition("=")[0] for each in query.split("&")}
    path, _, named = uri(site, site.cine).partition("?")
    kept = [each for each in named.split("&") if each.partition("=")[0] not in names]
    expect(site.ask(f"{path}?{'&'.join([*kept, query])}"), 400)


def uri_absent(name: str, site: Site) -> None:
    path, _, named = uri(site, site.ct).partition("?")
    kept = [each for each in named.split("&") if not each.startswith(f"{name}=")]
    expect(site.ask(f"{path}?{'&'.join([*kept, f'{name}=1.2.3.4.5'])}"), 404)


def uri_refused(site: Site) -> None:
    expect(site.ask(uri(site, site.ct, "contentType=video/x-nothing")), 406)


def uri_size(site: Site) -> None:
    found = picture(site, uri(site, site.ct, "rows=50&columns=100&contentType=image/png"), "*/*")
    assert found.size[1] == 50
    assert found.size[0] <= 100


def uri_region(site: Site) -> None:
    found = picture(
        site, uri(site, site.ct, "region=0.25,0.25,0.75,0.5&contentType=image/png"), "*/*"
    )
    width, height = size(site.ct)
    assert found.size == (width // 2, height // 4)


def uri_window(site: Site) -> None:
    more = "windowCenter=30000&windowWidth=10&contentType=image/png"
    assert picture(site, uri(site, site.ct, more), "*/*").convert("L").getextrema() == (0, 0)


def uri_frame(site: Site) -> None:
    assert picture(site, uri(site, site.cine, "frameNumber=2"), "*/*").size == size(site.cine)


def uri_state(site: Site) -> None:
    image = site.state.stored.ReferencedSeriesSequence[0]
    uid = image.ReferencedImageSequence[0].ReferencedSOPInstanceUID
    instance = site.one(lambda each: each.uid == uid, "image of the presentation state")
    more = f"presentationUID={site.state.uid}&presentationSeriesUID={site.state.series}"
    expect(site.ask(uri(site, instance, more)), 200, "image/jpeg")


def uri_annotation(site: Site) -> None:
    expect(site.ask(uri(site, site.ct, "annotation=patient")), 200, "image/jpeg")
