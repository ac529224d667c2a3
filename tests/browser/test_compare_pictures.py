"""What the browser makes of samples is what the service draws (`daemon.rendering`), judged by others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)

from daemon.synthetic.encodings import encode_as
from tests.browser.conftest import Visit
from tests.picture_samples import item, make_image, ramp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from playwright.sync_api import Browser
    from pydicom.dataset import Dataset

    from tests.browser.conftest import Site

_DIFFERENCE = """
async ([instance, frame]) => {
  const { Frames } = await import("/static/compare-frames.js");
  const frames = new Frames(`${location.origin}/dicomweb/source/`);
  const pixels = (image) => {
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height).data;
  };
  const ours = pixels(await frames.picture(instance, frame, undefined));
  const address = `${frames.address(instance)}/frames/${frame}/rendered`;
  const answer = await fetch(address, { headers: { Accept: "image/png" } });
  const theirs = pixels(await createImageBitmap(await answer.blob(), { colorSpaceConversion: "none" }));
  let most = ours.length === theirs.length ? 0 : 999;
  for (let at = 0; at < ours.length; at += 1) most = Math.max(most, Math.abs(ours[at] - theirs[at]));
  const { how } = await frames.description(instance);
  const isDrawn = frames.drawnElsewhere.size > 0;
  const seen = ours.filter((_, at) => at % 4 !== 3);
  return { how, most, isDrawn, spread: Math.max(...seen) - Math.min(...seen) };
}
"""
_COLOUR = np.random.default_rng(5).integers(0, 256, (24, 32, 3)).astype(np.uint8)
_EIGHT = ramp(32, 32, top=255).astype(np.uint8)
_SMOOTH = np.stack([_EIGHT, _EIGHT.T, _EIGHT // 3], axis=-1)
_SIGNED = (ramp(top=4095).astype(np.int32) - 2000).astype(np.int16)
_LUT = bytes(np.linspace(0, 255, 256).astype(np.uint8)[::-1])


def _palette(bits: int) -> dict[str, Any]:
    entries = np.arange(256)
    found: dict[str, Any] = {}
    for colour, values in (("Red", entries), ("Green", 255 - entries), ("Blue", entries // 2)):
        wide = (values * 257 if bits == 16 else values).astype("<u2" if bits == 16 else "u1")
        found[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, bits]
        found[f"{colour}PaletteColorLookupTableData"] = wide.tobytes()
    return found


def _bits() -> Dataset:
    mask = np.random.default_rng(3).integers(0, 2, (2, 16, 16)).astype(np.uint8)
    dataset = make_image(mask, bits=1)
    dataset.BitsAllocated = 1
    dataset.PixelData = np.packbits(mask.ravel(), bitorder="little").tobytes()
    return dataset


def _framed() -> Dataset:
    groups = [
        item(FrameVOILUTSequence=[item(WindowCenter=center, WindowWidth=500)])
        for center in (300, 2500)
    ]
    shared = item(PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=-100)])
    return make_image(
        np.stack([ramp(), ramp()]), bits=12, PerFrameFunctionalGroupsSequence=groups,
        SharedFunctionalGroupsSequence=[shared], WindowCenter=1, WindowWidth=1,
    )  # fmt: skip


def _planar() -> Dataset:
    dataset = make_image(_COLOUR)
    dataset.PlanarConfiguration = 1
    dataset.PixelData = np.ascontiguousarray(_COLOUR.transpose(2, 0, 1)).tobytes()
    return dataset


def _shifted() -> Dataset:
    dirty = (ramp() << 4 | 7).astype(np.uint16)
    dataset = make_image(dirty, bits=12, WindowCenter=2000, WindowWidth=3000)
    dataset.HighBit = 15
    return dataset


def _grey(samples: NDArray[Any] | None = None, *, syntax: str = "", **attributes: Any) -> Dataset:
    """Return an image of 12 bits, or of the samples given; with another syntax, encoded so."""
    plain = {} if samples is not None else {"bits": 12}
    made = make_image(ramp() if samples is None else samples, **{**plain, **attributes})
    return _encoded(made, syntax)


def _encoded(dataset: Dataset, syntax: str) -> Dataset:
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    return encode_as(dataset, syntax) if syntax else dataset


def _colour(photometric: str = "", *, syntax: str = "", samples: Any = _COLOUR) -> Dataset:
    return _encoded(make_image(samples, photometric, ImageComments=syntax or photometric), syntax)


def _paletted(bits: int) -> Dataset:
    return make_image(_EIGHT, "PALETTE COLOR", **_palette(bits))


_WINDOW: dict[str, Any] = {"WindowCenter": 1000, "WindowWidth": 900}
_REVERSED = item(LUTDescriptor=[256, 0, 8], ModalityLUTType="US", LUTData=_LUT)
SAMPLES: dict[str, Dataset] = {
    "12 bits with a window": _grey(**_WINDOW),
    "MONOCHROME1": _grey(photometric="MONOCHROME1", **_WINDOW),
    "signed and rescaled": _grey(_SIGNED, **_WINDOW, RescaleSlope=2, RescaleIntercept=-24),
    "signed without a window": _grey(_SIGNED),
    "16 bits from lowest to highest": _grey(ramp(top=60000)),
    "padding": _grey(PixelPaddingValue=0, PixelPaddingRangeLimit=700),
    "padding that would be white": _grey(PixelPaddingValue=4095, PixelPaddingRangeLimit=3500),
    "8 bits as they are": _grey(ramp(top=200).astype(np.uint8)),
    "6 bits as they are": _grey(ramp(top=63).astype(np.uint8), bits=6),
    "sigmoid": _grey(**_WINDOW, VOILUTFunction="SIGMOID"),
    "exactly linear": _grey(**_WINDOW, VOILUTFunction="LINEAR_EXACT"),
    "a high bit that is the highest": _shifted(),
    "single bits": _bits(),
    "windows of each frame": _framed(),
    "RGB": _colour(),
    "RGB by plane": _planar(),
    "YBR_FULL": _colour("YBR_FULL"),
    "palette of 8 bits": _paletted(8),
    "palette of 16 bits": _paletted(16),
    "RLE": _colour(syntax=RLELossless),
    "JPEG 2000 of YBR_RCT": _colour(syntax=JPEG2000Lossless),
    "JPEG lossless": _grey(**_WINDOW, ImageComments="lossless", syntax=JPEGLosslessSV1),
    "JPEG-LS": _colour(syntax=JPEGLSLossless),
    "a modality table": _grey(_EIGHT, ModalityLUTSequence=[_REVERSED]),
    "a table of values of interest": _grey(_EIGHT, VOILUTSequence=[_REVERSED]),
}
JPEGS: dict[str, Dataset] = {
    "JPEG baseline in colour": _colour(syntax=JPEGBaseline8Bit, samples=_SMOOTH),
    "JPEG baseline in grey": _grey(_EIGHT, ImageComments="grey", syntax=JPEGBaseline8Bit),
}
CASES = {**SAMPLES, **JPEGS}


@pytest.fixture(scope="module")
def tab(site: Site, browser: Browser, artifacts: Any) -> Iterator[Visit]:
    """Return a page of the service, once it has all cases."""
    for dataset in CASES.values():
        # A secondary capture would wait in the quarantine, which other tests look at.
        dataset.Modality, dataset.SOPClassUID = "MR", MRImageStorage
        dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
    site.send(*CASES.values())
    visit = Visit(browser.new_page(), site.root, artifacts)
    visit.open("/")
    yield visit
    visit.page.close()
    # Whatever is looked at next finds the work done.
    site.daemon.wait_until_settled(len(site.sent))
    assert visit.faults == []


@pytest.mark.parametrize("case", CASES)
def test_a_picture_is_as_the_service_draws_it(tab: Visit, case: str) -> None:
    dataset, how = CASES[case], "jpeg" if case in JPEGS else "samples"
    instance = {
        "study": dataset.StudyInstanceUID,
        "series": dataset.SeriesInstanceUID,
        "instance": dataset.SOPInstanceUID,
        "syntax": dataset.file_meta.TransferSyntaxUID,
    }
    for frame in range(1, int(dataset.get("NumberOfFrames", 1)) + 1):
        found = tab.page.evaluate(_DIFFERENCE, [instance, frame])
        assert (found["how"], found["isDrawn"]) == (how, False)
        # The conversion to 8 bits may be rounded otherwise; two decoders of JPEG differ by a little more.
        assert found["most"] <= (4 if how == "jpeg" else 1)
        assert found["spread"] > 50
