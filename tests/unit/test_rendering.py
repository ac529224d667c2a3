"""What a frame looks like: padding, functional groups, presentation states, colour profiles."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from daemon.rendering import drawing
from daemon.rendering.drawing import draw, lines_of
from daemon.rendering.errors import NoPicture
from dicomweb.ports import Picture
from tests.picture_samples import SERIES, drawn, item, make_image, ramp, stored
from tests.pixel_samples import RLE, encode

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset


def grey(samples: NDArray[Any] | None = None, **attributes: Any) -> Dataset:
    return make_image(ramp(32, 64) if samples is None else samples, bits=12, **attributes)


def state_of(image: Dataset, **attributes: Any) -> Dataset:
    named = item(ReferencedSOPInstanceUID=image.SOPInstanceUID)
    series = item(SeriesInstanceUID=SERIES, ReferencedImageSequence=[named])
    return item(ReferencedSeriesSequence=[series], **attributes)


def test_padding_is_black_and_does_not_widen_the_range(tmp_path: Path) -> None:
    samples = ramp(32, 64, top=1000).astype(np.int16) + 500
    samples[:, :8] = -2000
    dataset = make_image(samples)
    dataset.add_new("PixelPaddingValue", "SS", -2000)
    found = drawn(dataset, tmp_path)
    assert not found[:, :8].any()
    assert found[:, 8:].max() == 255
    assert found[0, 8] == 0


@pytest.mark.parametrize(("photometric", "value"), [("MONOCHROME1", 0), ("MONOCHROME2", 4095)])
def test_padding_is_black_where_its_value_would_be_white(
    photometric: str, value: int, tmp_path: Path
) -> None:
    samples = ramp(32, 64, top=1000) + 1000
    samples[:, :8] = value
    dataset = make_image(samples, photometric, bits=12, WindowCenter=1500, WindowWidth=1000)
    assert drawn(dataset, tmp_path)[:, :8].all()
    dataset.add_new("PixelPaddingValue", "US", value)
    assert not drawn(dataset, tmp_path)[:, :8].any()


@pytest.mark.parametrize("limit", [2100, 2200])
def test_padding_may_be_a_range(limit: int, tmp_path: Path) -> None:
    samples = ramp(32, 64, top=1000)
    samples[0, :3] = 2000, 2050, 2100
    dataset = make_image(samples, "MONOCHROME1", bits=12)
    dataset.add_new("PixelPaddingValue", "US", 2000)
    dataset.add_new("PixelPaddingRangeLimit", "US", limit)
    found = drawn(dataset, tmp_path)
    assert not found[0, :3].any()
    assert found[-1, -1] == 0  # the highest value that is none of padding
    assert found[1, 0] == 255


def test_the_window_of_each_frame_is_that_of_its_functional_group(tmp_path: Path) -> None:
    planes = np.stack([ramp(16, 64)] * 3)
    dataset = grey(planes)

    def window(center: float) -> Dataset:
        return item(WindowCenter=center, WindowWidth=500)

    rescale = item(RescaleSlope=2, RescaleIntercept=-100)
    dataset.SharedFunctionalGroupsSequence = [
        item(PixelValueTransformationSequence=[rescale], FrameVOILUTSequence=[window(4000)])
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        item(FrameVOILUTSequence=[window(1000)]),
        item(FrameVOILUTSequence=[window(3000)]),
        item(),
    ]
    for number, center in enumerate((1000, 3000, 4000), start=1):
        alone = grey(
            ramp(16, 64),
            RescaleSlope=2,
            RescaleIntercept=-100,
            WindowCenter=center,
            WindowWidth=500,
        )
        assert np.array_equal(drawn(dataset, tmp_path, frame=number), drawn(alone, tmp_path))


def test_eight_bits_without_a_window_are_shown_as_they_are(tmp_path: Path) -> None:
    samples = ramp(16, 64, top=100).astype(np.uint8)
    assert np.array_equal(drawn(make_image(samples), tmp_path), samples)


def test_single_bits_are_black_and_white(tmp_path: Path) -> None:
    bits = (ramp(9, 13) % 7 < 3).astype(np.uint8)
    dataset = make_image(bits)
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    dataset.PixelData = packed + bytes(len(packed) % 2)
    assert np.array_equal(drawn(dataset, tmp_path), bits * 255)


def test_floating_point_samples_are_stretched_and_what_is_no_number_is_black(
    tmp_path: Path,
) -> None:
    values = np.linspace(-3.5, 12.25, 16 * 8, dtype=np.float32).reshape(16, 8)
    values[0, 0] = np.nan
    dataset = make_image(np.zeros((16, 8), np.uint32))
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, keyword)
    dataset.add_new("FloatPixelData", "OF", values.tobytes())
    found = drawn(dataset, tmp_path)
    assert (found[0, 0], found[-1, -1], found[0, 1]) == (0, 255, 0)
    assert found[8, 4] in range(120, 140)


@pytest.mark.parametrize(("bits", "high"), [(12, 11), (12, 15), (10, 13)])
def test_bits_outside_of_the_stored_ones_are_not_shown(
    bits: int, high: int, tmp_path: Path
) -> None:
    values = ramp(16, 64, top=(1 << bits) - 1)
    shift = high - bits + 1
    dirty = (values << shift) | (0xFFFF & ~(((1 << bits) - 1) << shift))
    dataset = make_image(dirty.astype(np.uint16), bits=bits, WindowCenter=300, WindowWidth=500)
    dataset.HighBit = high
    clean = make_image(values, bits=bits, WindowCenter=300, WindowWidth=500)
    assert np.array_equal(drawn(dataset, tmp_path), drawn(clean, tmp_path))
    packed = encode(RLE, dirty.astype(np.uint16)[..., None], 16)
    compressed = make_image(
        dirty.astype(np.uint16),
        bits=bits,
        syntax=RLE,
        encoded=[packed + bytes(len(packed) % 2)],
        WindowCenter=300,
        WindowWidth=500,
    )
    compressed.HighBit = high
    assert np.array_equal(drawn(compressed, tmp_path), drawn(clean, tmp_path))


def test_a_presentation_state_decides_window_and_polarity(tmp_path: Path) -> None:
    dataset = grey(WindowCenter=100, WindowWidth=50, RescaleSlope=3, RescaleIntercept=7)
    voi = item(WindowCenter=2000, WindowWidth=1000)
    state = state_of(dataset, SoftcopyVOILUTSequence=[voi], PresentationLUTShape="INVERSE")
    alone = grey(WindowCenter=2000, WindowWidth=1000, RescaleSlope=3, RescaleIntercept=7)
    assert np.array_equal(drawn(dataset, tmp_path, state=state), 255 - drawn(alone, tmp_path))


def test_a_presentation_state_says_nothing_of_images_that_it_does_not_name(
    tmp_path: Path,
) -> None:
    dataset, other = grey(), grey(InstanceNumber=2)
    with pytest.raises(NoPicture):
        drawn(dataset, tmp_path, state=state_of(other))


def test_what_concerns_another_frame_is_not_applied(tmp_path: Path) -> None:
    dataset = grey(np.stack([ramp(16, 64)] * 2))
    first = item(ReferencedSOPInstanceUID=dataset.SOPInstanceUID, ReferencedFrameNumber=1)
    voi = item(ReferencedImageSequence=[first], WindowCenter=10, WindowWidth=5)
    state = state_of(dataset, SoftcopyVOILUTSequence=[voi])
    one, two = (drawn(dataset, tmp_path, state=state, frame=number) for number in (1, 2))
    assert not np.array_equal(one, two)


@pytest.mark.parametrize(
    ("rotation", "flip", "turned"),
    [
        (0, "Y", lambda a: a[:, ::-1]),
        (90, "N", lambda a: np.rot90(a, -1)),
        (180, "N", lambda a: a[::-1, ::-1]),
        (270, "Y", lambda a: np.rot90(a, 1)[:, ::-1]),
    ],
)
def test_a_presentation_state_turns_and_flips(
    rotation: int, flip: str, turned: Any, tmp_path: Path
) -> None:
    dataset = grey()
    state = state_of(dataset, ImageRotation=rotation, ImageHorizontalFlip=flip)
    assert np.array_equal(drawn(dataset, tmp_path, state=state), turned(drawn(dataset, tmp_path)))


def test_a_displayed_area_is_cut_out(tmp_path: Path) -> None:
    dataset = grey()
    area = item(
        DisplayedAreaTopLeftHandCorner=[9, 5],
        DisplayedAreaBottomRightHandCorner=[24, 12],
        PresentationSizeMode="SCALE TO FIT",
    )
    state = state_of(dataset, DisplayedAreaSelectionSequence=[area])
    found = drawn(dataset, tmp_path, state=state)
    assert np.array_equal(found, drawn(dataset, tmp_path)[4:12, 8:24])


def test_shutters_hide_what_is_outside(tmp_path: Path) -> None:
    dataset = make_image(np.full((40, 60), 200, np.uint8))
    rectangle = {
        "ShutterLeftVerticalEdge": 10,
        "ShutterRightVerticalEdge": 50,
        "ShutterUpperHorizontalEdge": 5,
        "ShutterLowerHorizontalEdge": 35,
    }
    state = state_of(dataset, ShutterShape="RECTANGULAR", **rectangle)
    found = drawn(dataset, tmp_path, state=state)
    assert (found[5:34, 10:49] == 200).all()
    assert int((found == 200).sum()) == 29 * 39
    circle = state_of(
        dataset,
        ShutterShape="CIRCULAR",
        CenterOfCircularShutter=[20, 30],
        RadiusOfCircularShutter=10,
    )
    found = drawn(dataset, tmp_path, state=circle)
    assert found[19, 29] == 200
    assert not found[0].any()
    assert abs(int((found == 200).sum()) - np.pi * 100) < 30
    polygon = state_of(
        dataset,
        ShutterShape="POLYGONAL",
        VerticesOfThePolygonalShutter=[1, 1, 1, 60, 40, 60],
    )
    found = drawn(dataset, tmp_path, state=polygon)
    assert (found[1, 50], found[38, 5]) == (200, 0)


def test_graphics_and_text_of_a_presentation_state_are_drawn(tmp_path: Path) -> None:
    dataset = make_image(np.zeros((80, 120), np.uint8))
    line = item(
        GraphicAnnotationUnits="PIXEL",
        GraphicDimensions=2,
        NumberOfGraphicPoints=2,
        GraphicData=[11.0, 6.0, 51.0, 6.0],
        GraphicType="POLYLINE",
    )
    circle = item(
        GraphicAnnotationUnits="DISPLAY",
        GraphicData=[0.5, 0.5, 0.6, 0.5],
        GraphicType="CIRCLE",
        GraphicFilled="Y",
    )
    text = item(
        AnchorPointAnnotationUnits="PIXEL", AnchorPoint=[5.0, 60.0], UnformattedTextValue="R"
    )
    annotation = item(GraphicObjectSequence=[line, circle], TextObjectSequence=[text])
    state = state_of(dataset, GraphicAnnotationSequence=[annotation])
    found = drawn(dataset, tmp_path, state=state)
    assert found[5, 10:51].all()
    assert found[40, 60]
    assert found[58:75, 3:20].any()
    assert not found[20].any()


def test_colours_are_converted_to_srgb_only_where_that_is_asked_for(tmp_path: Path) -> None:
    samples = np.dstack([ramp(16, 64, top=255).astype(np.uint8)] * 3)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    dataset = make_image(samples, ICCProfile=profile)
    image = stored(dataset, tmp_path)
    for icc, has_profile in (("no", False), ("yes", True), ("srgb", True)):
        body = draw(image, Picture("image/png", icc=icc), None)
        with Image.open(io.BytesIO(body)) as opened:
            assert ("icc_profile" in opened.info) == has_profile
            assert np.abs(np.asarray(opened).astype(int) - samples).max() <= 2


@pytest.mark.parametrize("broken", [b"", b"\0" * 200], ids=["empty", "zeros"])
def test_a_profile_that_is_none_is_refused_or_left_out(broken: bytes, tmp_path: Path) -> None:
    samples = np.dstack([ramp(16, 64, top=255).astype(np.uint8)] * 3)
    image = stored(make_image(samples, ICCProfile=broken), tmp_path)
    assert draw(image, Picture("image/png", icc="no"), None)
    if broken:
        with pytest.raises(NoPicture):
            draw(image, Picture("image/png", icc="srgb"), None)


def test_a_name_is_written_as_one_line(tmp_path: Path) -> None:
    image = stored(make_image(np.zeros((60, 200), np.uint8), PatientName="A^B"), tmp_path)
    assert list(lines_of(image.dataset, ("PatientName", "Rows"))) == [
        "PatientName: A^B",
        "Rows: 60",
    ]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        # PS3.3 C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5) * 255 between c - 0.5 -+ (w - 1) / 2
        ("LINEAR", [0, 0, 85, 170, 255, 255]),
        # C.11.2.1.3.2: ((x - c) / w + 0.5) * 255 between c -+ w / 2
        ("LINEAR_EXACT", [0, 0, 64, 128, 191, 255]),
        # C.11.2.1.3.1: 255 / (1 + exp(-4 * (x - c) / w))
        ("SIGMOID", [12, 30, 69, 128, 186, 225]),
    ],
)
def test_windows_are_those_of_the_standard(
    function: str, expected: list[int], tmp_path: Path
) -> None:
    samples = np.array([[2, 3, 4, 5, 6, 7]], np.uint16)
    dataset = make_image(samples, bits=12, WindowCenter=5, WindowWidth=4, VOILUTFunction=function)
    assert drawn(dataset, tmp_path).ravel().tolist() == expected
    wide = make_image(samples, bits=12, WindowCenter=1, WindowWidth=1000)
    asked = drawn(wide, tmp_path, window=(5.0, 4.0, function))
    assert asked.ravel().tolist() == expected


def test_a_window_of_width_one_is_a_threshold(tmp_path: Path) -> None:
    samples = np.array([[2, 3, 4, 5, 6, 7]], np.uint16)
    dataset = make_image(samples, bits=12, WindowCenter=5, WindowWidth=1)
    assert drawn(dataset, tmp_path).ravel().tolist() == [0, 0, 0, 255, 255, 255]


def test_a_palette_of_eight_bits_in_wider_words_is_not_dark(tmp_path: Path) -> None:
    indices = np.array([[0, 1, 2, 3]], np.uint8)
    dataset = make_image(indices, "PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 16])
        dataset[f"{colour}PaletteColorLookupTableDescriptor"].VR = "US"
        table = np.array([0, 100, 200, 255], "<u2").tobytes()
        setattr(dataset, f"{colour}PaletteColorLookupTableData", table)
    assert drawn(dataset, tmp_path)[0, :, 0].tolist() == [0, 100, 200, 255]


def test_what_claims_to_be_larger_than_the_limit_is_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "MOST_PIXELS", 90 * 80 - 1)
    image = stored(make_image(np.zeros((90, 80), np.uint8)), tmp_path)
    assert draw(image, Picture("image/jpeg", viewport=(10, 10)), None)
    with pytest.raises(NoPicture, match="too large"):
        draw(image, Picture("image/jpeg"), None)


def test_what_claims_to_be_too_large_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    dataset = make_image(np.zeros((4, 4), np.uint8))
    dataset.Rows, dataset.Columns = 9000, 8000
    with pytest.raises(NoPicture, match="too large"):
        draw(stored(dataset, tmp_path), Picture("image/jpeg"), None)


def test_a_part_that_is_too_large_is_refused_and_a_smaller_one_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "MOST_PIXELS", 100)
    image = stored(make_image(np.zeros((20, 20), np.uint8)), tmp_path)
    with pytest.raises(NoPicture, match="too large"):
        draw(image, Picture("image/jpeg", region=(0, 0, 11, 10)), None)
    assert draw(image, Picture("image/jpeg", region=(0, 0, 10, 10)), None)
