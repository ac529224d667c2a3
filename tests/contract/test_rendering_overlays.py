"""Overlay planes are drawn where they lie, as dcmtk draws them, in whatever way they are stored."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import ExplicitVRBigEndian

from daemon.rendering.drawing import draw
from daemon.rendering.overlays import INK
from daemon.rendering.reading import StoredImage
from dicomweb.ports import Picture
from tests.dicomweb_service import BUNDLED
from tests.picture_samples import (
    SERIES,
    drawn,
    item,
    make_image,
    overlaid,
    pixels_of,
    ramp,
    stored,
)
from tests.pixel_samples import RLE, encode

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

ROWS, COLUMNS = 24, 40


def marks(rows: int = ROWS, columns: int = COLUMNS, *, seed: int = 1) -> NDArray[np.bool_]:
    """Return a bitmap unlike itself when it is moved or turned."""
    found: NDArray[np.bool_] = np.random.default_rng(seed).random((rows, columns)) < 0.3
    return found


def grey(frames: int = 1) -> Dataset:
    """Return an image that is nowhere white, as dcmtk draws planes."""
    plane = (ramp(ROWS, COLUMNS, top=200)).astype(np.uint8)
    return make_image(plane if frames == 1 else np.stack([plane] * frames))


def inked(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where planes are drawn; nowhere on a picture that is grey."""
    if picture.ndim == 2:
        return np.zeros(picture.shape, np.bool_)
    found: NDArray[np.bool_] = (picture[..., :3] == INK).all(axis=-1)
    return found


def by_dcmtk(dataset: Dataset, folder: Path, frame: int = 1) -> NDArray[np.bool_]:
    """Return where dcmtk draws planes."""
    return drawn_by_dcmtk(stored(dataset, folder).path, folder, "+F", str(frame))


def drawn_by_dcmtk(path: Path, folder: Path, *options: str) -> NDArray[np.bool_]:
    pictures = []
    for planes in (["+O", "0"], ["-O"]):
        out = folder / f"dcmtk{planes[0]}.png"
        command = ["dcmj2pnm", "--write-png", *planes, *options, str(path), str(out)]
        subprocess.run(command, check=True, capture_output=True, timeout=240)
        with Image.open(out) as opened:
            pictures.append(np.asarray(opened.convert("L")))
    found: NDArray[np.bool_] = pictures[0] != pictures[1]
    return found


@pytest.mark.peer("dcmj2pnm")
@pytest.mark.parametrize(
    ("origin", "size"),
    [
        ((1, 1), (ROWS, COLUMNS)),
        ((5, 9), (8, 11)),
        ((-6, -3), (ROWS, COLUMNS)),
        ((10, 30), (ROWS, COLUMNS)),
        ((-2, -4), (ROWS + 9, COLUMNS + 9)),
        ((ROWS + 1, 1), (ROWS, COLUMNS)),
        ((1, -COLUMNS), (ROWS, COLUMNS)),
    ],
    ids=["whole", "smaller", "before", "behind", "larger", "below", "left_of_it"],
)
def test_a_plane_lies_where_dcmtk_has_it(
    origin: tuple[int, int], size: tuple[int, int], tmp_path: Path
) -> None:
    dataset = overlaid(grey(), marks(*size), origin=origin)
    assert np.array_equal(inked(drawn(dataset, tmp_path)), by_dcmtk(dataset, tmp_path))


def test_a_plane_lies_where_its_origin_says(tmp_path: Path) -> None:
    plane = marks(8, 11)
    found = inked(drawn(overlaid(grey(), plane, origin=(-1, 5)), tmp_path))
    assert np.array_equal(found[:6, 4:15], plane[2:])
    assert found.sum() == plane[2:].sum()


@pytest.mark.peer("dcmj2pnm")
def test_all_planes_are_drawn_regions_of_interest_too(tmp_path: Path) -> None:
    dataset = overlaid(grey(), marks(9, 9), origin=(2, 2))
    overlaid(dataset, marks(9, 9, seed=2), group=0x601E, origin=(12, 20))
    assert np.array_equal(inked(drawn(dataset, tmp_path)), by_dcmtk(dataset, tmp_path))
    region = overlaid(grey(), marks(9, 9), kind="R")
    assert np.array_equal(inked(drawn(region, tmp_path))[:9, :9], marks(9, 9))


@pytest.mark.peer("dcmj2pnm")
def test_the_plane_of_an_image_from_a_scanner_is_drawn_as_dcmtk_does(tmp_path: Path) -> None:
    path = BUNDLED / "examples_overlay.dcm"
    ours = inked(
        pixels_of(draw(StoredImage(path, path.stat().st_size), Picture("image/png"), None))
    )
    assert ours.any()
    assert np.array_equal(ours, drawn_by_dcmtk(path, tmp_path))


@pytest.mark.parametrize("syntax", ["native", "rle"])
@pytest.mark.parametrize("position", [12, 15])
def test_a_plane_in_unused_bits_of_the_pixels_is_drawn(
    syntax: str, position: int, tmp_path: Path
) -> None:
    plane = marks()
    samples = ramp(ROWS, COLUMNS, top=3000) | plane.astype(np.uint16) << position
    if syntax == "rle":
        packed = encode(RLE, samples[..., None], 16)
        encoded = [packed + bytes(len(packed) % 2)]
        dataset = make_image(samples, bits=12, syntax=RLE, encoded=encoded)
    else:
        dataset = make_image(samples, bits=12)
    plain = pixels_of(draw(stored(dataset, tmp_path), Picture("image/png", overlays="no"), None))
    for element, value in ((0x0010, ROWS), (0x0011, COLUMNS), (0x0100, 16), (0x0102, position)):
        dataset.add_new((0x6000, element), "US", value)
    dataset.add_new((0x6000, 0x0050), "SS", [1, 1])
    found = drawn(dataset, tmp_path)
    assert np.array_equal(inked(found), plane)
    assert np.array_equal(found[~plane][:, 0], plain[~plane])
    if syntax == "native":
        assert np.array_equal(plane, by_dcmtk(dataset, tmp_path))


def test_bits_of_the_samples_themselves_are_no_plane(tmp_path: Path) -> None:
    dataset = make_image(ramp(ROWS, COLUMNS), bits=12)
    for element, value in ((0x0010, ROWS), (0x0011, COLUMNS), (0x0100, 16), (0x0102, 3)):
        dataset.add_new((0x6000, element), "US", value)
    assert not inked(drawn(dataset, tmp_path)).any()


def test_each_frame_of_a_plane_is_on_its_frame_of_the_image(tmp_path: Path) -> None:
    # Frames of 15 bits: only the first begins at a byte.
    planes = np.stack([marks(3, 5, seed=seed) for seed in (1, 2)])
    dataset = overlaid(grey(4), planes, frame_origin=2)
    found = [inked(drawn(dataset, tmp_path, frame=number))[:3, :5] for number in (1, 2, 3, 4)]
    assert not found[0].any()
    assert np.array_equal(found[1], planes[0])
    assert np.array_equal(found[2], planes[1])
    assert not found[3].any()


def test_frames_of_a_plane_without_an_origin_begin_with_the_first(tmp_path: Path) -> None:
    dataset = overlaid(grey(3), np.stack([marks()]))
    found = [inked(drawn(dataset, tmp_path, frame=number)).any() for number in (1, 2, 3)]
    assert found == [True, False, False]


@pytest.mark.peer("dcmj2pnm")
def test_a_plane_that_says_nothing_of_frames_is_on_all_of_them(tmp_path: Path) -> None:
    dataset = overlaid(grey(3), marks())
    for number in (1, 3):
        assert np.array_equal(inked(drawn(dataset, tmp_path, frame=number)), marks())
        assert np.array_equal(marks(), by_dcmtk(dataset, tmp_path, number))


def test_words_in_big_endian_are_read_as_such(tmp_path: Path) -> None:
    samples = ramp(ROWS, COLUMNS)
    little = drawn(overlaid(make_image(samples, bits=12), marks()), tmp_path)
    swapped = make_image(samples.byteswap(), bits=12, syntax=ExplicitVRBigEndian)
    overlaid(swapped, marks())
    data = swapped[0x6000, 0x3000]
    data.value = np.frombuffer(data.value, "<u2").byteswap().tobytes()
    assert np.array_equal(drawn(swapped, tmp_path), little)


def test_of_a_plane_that_ends_too_early_what_there_is_is_drawn(tmp_path: Path) -> None:
    dataset = overlaid(grey(), marks())
    dataset[0x6000, 0x3000].value = dataset[0x6000, 0x3000].value[:20]
    found = inked(drawn(dataset, tmp_path))
    assert np.array_equal(found.ravel()[:160], marks().ravel()[:160])
    assert not found.ravel()[160:].any()


@pytest.mark.parametrize(
    ("element", "vr", "value"),
    [
        (0x0050, "SS", [1, 2, 3]),
        (0x0010, "US", 0),
        (0x0015, "IS", "0"),
        (0x0102, "US", 65535),
    ],
)
def test_a_plane_that_makes_no_sense_does_not_hinder_the_picture(
    element: int, vr: str, value: Any, tmp_path: Path
) -> None:
    dataset = overlaid(grey(), marks())
    dataset.add_new((0x6000, element), vr, value)
    if element == 0x0102:
        del dataset[0x6000, 0x3000]
    plain = drawn(grey(), tmp_path)
    found = drawn(dataset, tmp_path)
    assert found.shape[:2] == plain.shape


def test_planes_are_left_out_or_shown_alone_on_request(tmp_path: Path) -> None:
    dataset = overlaid(grey(), marks(9, 9), origin=(3, 4))
    assert np.array_equal(drawn(dataset, tmp_path, overlays="no"), drawn(grey(), tmp_path))
    encoded = draw(
        stored(dataset, tmp_path), Picture("image/png", overlays="only", region=(3, 2, 9, 9)), None
    )
    (tmp_path / "alone.png").write_bytes(encoded)
    with Image.open(tmp_path / "alone.png") as opened:
        alone = np.asarray(opened.convert("RGBA"))
    assert np.array_equal(alone[..., 3] > 0, marks(9, 9))
    assert np.array_equal(inked(alone) & (alone[..., 3] > 0), marks(9, 9))


@pytest.mark.parametrize("kind", ["image/jpeg", "image/gif"])
def test_planes_alone_are_drawn_in_every_kind_of_picture(kind: str, tmp_path: Path) -> None:
    dataset = overlaid(grey(2), np.stack([marks()] * 2))
    assert draw(stored(dataset, tmp_path), Picture(kind, frame=1, overlays="only"), None)
    if kind == "image/gif":
        assert draw(stored(dataset, tmp_path), Picture(kind, frame=None, overlays="only"), None)


def state_of(dataset: Dataset, **attributes: Any) -> Dataset:
    named = item(ReferencedSOPInstanceUID=dataset.SOPInstanceUID)
    series = item(SeriesInstanceUID=SERIES, ReferencedImageSequence=[named])
    return item(ReferencedSeriesSequence=[series], **attributes)


def test_a_presentation_state_shows_the_planes_that_it_activates(tmp_path: Path) -> None:
    dataset = overlaid(grey(), marks(9, 9))
    overlaid(dataset, marks(9, 9, seed=2), group=0x6002)
    state = state_of(dataset)
    assert not inked(drawn(dataset, tmp_path, state=state)).any()
    state.add_new((0x6002, 0x1001), "CS", "LAYER1")
    assert np.array_equal(inked(drawn(dataset, tmp_path, state=state))[:9, :9], marks(9, 9, seed=2))
    overlaid(state, marks(9, 9, seed=3), group=0x6002)  # its own go before the image's
    assert np.array_equal(inked(drawn(dataset, tmp_path, state=state))[:9, :9], marks(9, 9, seed=3))


def test_a_bitmap_shutter_blackens_what_it_covers(tmp_path: Path) -> None:
    dataset = grey()
    state = state_of(dataset, ShutterShape="BITMAP", ShutterOverlayGroup=0x6000)
    overlaid(state, marks())
    found = drawn(dataset, tmp_path, state=state)
    plain = drawn(dataset, tmp_path, state=state_of(dataset))
    assert not found[marks()].any()
    assert np.array_equal(found[~marks()], plain[~marks()])
