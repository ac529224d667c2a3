"""Pictures agree, pixel by pixel, with those that dcmtk draws, and with what pydicom makes of the values."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array

from daemon.rendering.drawing import draw
from daemon.rendering.errors import NoPicture
from daemon.rendering.reading import StoredImage
from dicomweb.ports import Picture
from tests.dicomweb_service import BUNDLED
from tests.picture_samples import by_dcmtk, drawn, item, make_image, pixels_of, ramp, stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset


def images() -> Iterator[Path]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted(BUNDLED.glob("*.dcm")):
            try:
                StoredImage(path, path.stat().st_size).decoded(1)
            except NoPicture:
                continue
            yield path


IMAGES = list(images())
JPEG_2000_AND_LS = [
    path
    for path in IMAGES
    if pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID[:21]
    in {"1.2.840.10008.1.2.4.8", "1.2.840.10008.1.2.4.9"}
]
NOT_BY_PYDICOM = {"GDCMJ2K_TextGBR"}  # its decoder takes that codestream for broken
# dcmtk reads 32-bit words in big endian as two of 16, and shows single bits at half of the range.
OTHER_IN_DCMTK = {"rtdose_expb", "rtdose_expb_1frame", "liver_1frame", "liver_expb_1frame"}
OTHER_IN_DCMTK |= {"liver", "liver_expb"}


def options_of(image: StoredImage) -> list[str]:
    """Return the options by which dcmtk does what we do unasked."""
    dataset = image.dataset
    if "VOILUTSequence" in dataset:
        return ["--use-voi-lut", "1"]
    if dataset.get("WindowCenter") not in (None, ""):
        return ["--use-window", "1"]
    is_whole = image.image.bits_stored <= 8 and not image.image.is_signed
    return [] if is_whole else ["--min-max-window"]


def assert_alike(ours: NDArray[Any], theirs: NDArray[Any], most: int = 1) -> None:
    assert ours.shape == theirs.shape
    assert int(np.abs(ours.astype(int) - theirs.astype(int)).max()) <= most


@pytest.mark.peer("dcmj2pnm")
@pytest.mark.parametrize(
    "path", [p for p in IMAGES if p.stem not in OTHER_IN_DCMTK], ids=lambda path: path.stem
)
def test_what_dcmtk_draws_is_drawn_alike(path: Path, tmp_path: Path) -> None:
    image = StoredImage(path, path.stat().st_size)
    theirs = by_dcmtk(path, tmp_path / "out.png", *options_of(image))
    if theirs is None:
        assert path in JPEG_2000_AND_LS  # compared with pydicom below
        return
    ours = pixels_of(draw(image, Picture("image/png", overlays="no"), None))
    if ours.ndim > theirs.ndim:
        ours = ours[..., 0]
    assert_alike(ours, theirs)


@pytest.mark.parametrize(
    "path",
    [path for path in JPEG_2000_AND_LS if path.stem not in NOT_BY_PYDICOM],
    ids=lambda path: path.stem,
)
def test_what_pydicom_decodes_is_decoded_alike(path: Path) -> None:
    image = StoredImage(path, path.stat().st_size)
    decoded = image.decoded(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pixel_array(pydicom.dcmread(path), index=0)
    ours = decoded.samples.astype(np.int64).reshape(theirs.shape)
    lossless = (1 << image.image.bits_stored) - 1
    assert_alike(ours & lossless, theirs.astype(np.int64) & lossless)


def shown_by_pydicom(dataset: Dataset, *, prefer_lut: bool = True) -> NDArray[np.uint8]:
    values = apply_modality_lut(dataset.pixel_array, dataset)
    shown = apply_voi_lut(values, dataset, prefer_lut=prefer_lut).astype(np.float64)
    bits = dataset.VOILUTSequence[0].LUTDescriptor[2] if "VOILUTSequence" in dataset else None
    if bits:
        scaled = shown / ((1 << bits) - 1)
    else:
        slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
        low = -(1 << (dataset.BitsStored - 1)) if dataset.PixelRepresentation else 0
        high = low + (1 << dataset.BitsStored) - 1
        low, high = low * slope + intercept, high * slope + intercept
        scaled = (shown - low) / (high - low)
    found: NDArray[np.uint8] = np.round(scaled * 255).astype(np.uint8)
    return found


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("is_signed", [False, True], ids=["unsigned", "signed"])
def test_windows_are_those_of_pydicom(function: str, is_signed: bool, tmp_path: Path) -> None:
    values = ramp().astype(np.int16) - 2048 if is_signed else ramp()
    dataset = make_image(
        values,
        bits=12,
        RescaleSlope=2,
        RescaleIntercept=-1000,
        WindowCenter=300,
        WindowWidth=1700,
        VOILUTFunction=function,
    )
    assert_alike(drawn(dataset, tmp_path), shown_by_pydicom(dataset))


@pytest.mark.parametrize("first", [0, 100, 60000], ids=["from_0", "from_100", "from_minus_5536"])
def test_tables_of_interest_are_those_of_pydicom(first: int, tmp_path: Path) -> None:
    table = (np.sqrt(np.arange(1024) / 1023) * 4095).astype(np.uint16)
    is_signed = first > 32767
    values = ramp(top=8000).astype(np.int16) - 6000 if is_signed else ramp(top=2000)
    dataset = make_image(values, bits=14)
    entry = item(LUTData=table.tolist())
    entry.add_new("LUTDescriptor", "SS" if is_signed else "US", [1024, first, 12])
    if is_signed:
        entry["LUTDescriptor"].value = [1024, first - 65536, 12]
    entry["LUTData"].VR = "US"
    dataset.VOILUTSequence = [entry]
    assert_alike(drawn(dataset, tmp_path), shown_by_pydicom(dataset))


@pytest.mark.peer("dcmj2pnm")
def test_a_modality_table_is_applied_as_dcmtk_does(tmp_path: Path) -> None:
    table = (4095 - np.arange(4096)).astype(np.uint16)
    entry = item(ModalityLUTType="US", LUTData=table.tobytes())
    entry.add_new("LUTDescriptor", "US", [4096, 0, 16])
    entry["LUTData"].VR = "OW"
    dataset = make_image(ramp(), bits=12, WindowCenter=1500, WindowWidth=1000)
    dataset.ModalityLUTSequence = [entry]
    image = stored(dataset, tmp_path)
    theirs = by_dcmtk(image.path, tmp_path / "out.png", "--use-window", "1")
    assert theirs is not None
    assert_alike(drawn(dataset, tmp_path), theirs)


@pytest.mark.peer("dcmj2pnm")
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_grey_of_any_depth_is_drawn_as_dcmtk_does(
    photometric: str, bits: int, tmp_path: Path
) -> None:
    values = ramp(top=(1 << bits) - 1)
    samples = values.astype(np.uint8) if bits == 8 else values
    center, width = 1 << (bits - 1), 1 << (bits - 1)
    dataset = make_image(samples, photometric, bits=bits, WindowCenter=center, WindowWidth=width)
    image = stored(dataset, tmp_path)
    theirs = by_dcmtk(image.path, tmp_path / "out.png", "--use-window", "1")
    assert theirs is not None
    assert_alike(drawn(dataset, tmp_path), theirs)


@pytest.mark.peer("dcmj2pnm")
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colour_by_pixel_and_by_plane_is_drawn_as_dcmtk_does(
    photometric: str, planar: int, tmp_path: Path
) -> None:
    plane = ramp(16, 64, top=255).astype(np.uint8)
    samples = np.stack([plane, plane[::-1], plane[:, ::-1]], axis=-1)
    dataset = make_image(samples, photometric, PlanarConfiguration=planar)
    if planar:
        dataset.PixelData = np.moveaxis(samples, -1, 0).tobytes()
    image = stored(dataset, tmp_path)
    theirs = by_dcmtk(image.path, tmp_path / "out.png")
    assert theirs is not None
    assert_alike(drawn(dataset, tmp_path), theirs, most=2)


@pytest.mark.peer("dcmj2pnm")
@pytest.mark.parametrize("kind", ["plain", "segmented", "bytes"])
def test_palettes_are_looked_up_as_dcmtk_does(kind: str, tmp_path: Path) -> None:
    indices = ramp(top=255).astype(np.uint8)
    dataset = make_image(indices, "PALETTE COLOR")
    for number, colour in enumerate(("Red", "Green", "Blue")):
        name = f"{colour}PaletteColorLookupTable"
        bits = 8 if kind == "bytes" else 16
        setattr(dataset, f"{name}Descriptor", [256, 0, bits])
        dataset[f"{name}Descriptor"].VR = "US"
        table = np.roll(np.arange(256, dtype=np.uint16), 64 * number)
        if kind == "segmented":
            words = [0, 2, 0, 257 * 64 * number, 1, 254, 65535 - 1000 * number]
            setattr(dataset, f"Segmented{name}Data", np.array(words, "<u2").tobytes())
        elif kind == "plain":
            setattr(dataset, f"{name}Data", (table * 257).astype("<u2").tobytes())
        else:
            setattr(dataset, f"{name}Data", table.astype(np.uint8).tobytes())
    image = stored(dataset, tmp_path)
    theirs = by_dcmtk(image.path, tmp_path / "out.png")
    ours = drawn(dataset, tmp_path)
    if kind == "segmented":  # dcmtk leaves that out: what the standard's example says
        assert theirs is None or theirs.shape == ours.shape
        assert ours[..., 0][0, 0] == 0
        assert ours[..., 0].max() == 255
        return
    assert theirs is not None
    assert_alike(ours, theirs)
