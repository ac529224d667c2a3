"""From stored samples to red, green and blue (PS3.3 C.7.6.3.1.2, C.7.9)."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageCms

from daemon.rendering.errors import NoPicture
from daemon.rendering.offline import apply_color_lut
from daemon.rendering.reading import first, several

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from daemon.rendering.reading import StoredImage
    from deid.pixels.samples import Decoded

GREY: Final = frozenset({"MONOCHROME1", "MONOCHROME2"})
_MOST_PROFILE_BYTES: Final = 4 << 20


def red_green_blue(stored: StoredImage, decoded: Decoded) -> NDArray[np.uint8]:
    """Return a colour frame, shape (rows, columns, 3)."""
    photometric = decoded.photometric
    if photometric == "PALETTE COLOR":
        return _by_palette(stored.dataset, decoded.samples[..., 0])
    samples = decoded.samples
    if samples.dtype.kind == "i":
        samples = samples.astype(np.int64) - stored.image.lowest
    bits = stored.image.bits_stored
    scaled = samples.astype(np.float32) * (255 / ((1 << bits) - 1))
    if photometric.startswith("YBR"):
        scaled = _from_ybr(scaled, is_partial=photometric.startswith("YBR_PARTIAL"))
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


def _from_ybr(samples: NDArray[np.float32], *, is_partial: bool) -> NDArray[np.float32]:
    """Undo the transform of PS3.3 C.7.6.3.1.2; of the partial kind, black is 16 and white 235."""
    luminance, blue, red = samples[..., 0], samples[..., 1] - 128, samples[..., 2] - 128
    if is_partial:
        luminance = (luminance - 16) * (255 / 219)
        blue, red = blue * (255 / 224), red * (255 / 224)
    return np.stack(
        (
            luminance + 1.402 * red,
            luminance - 0.344136 * blue - 0.714136 * red,
            luminance + 1.772 * blue,
        ),
        axis=-1,
    )


def _by_palette(dataset: Dataset, indices: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the colours of a palette, plain or segmented (PS3.3 C.7.6.3.1.5, C.7.9.2)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = apply_color_lut(indices, ds=dataset)[..., :3]
        except MemoryError:
            raise
        except Exception as error:  # pydicom raises whatever it meets
            raise NoPicture("(0028,1201)") from error
    if found.dtype.itemsize == 1:
        return found.astype(np.uint8)
    bits = 16
    described = several(dataset, "RedPaletteColorLookupTableDescriptor")
    if len(described) == 3:
        bits = int(described[2])
    # Some writers store entries of 8 bits in the low bytes of words of 16.
    is_wide = bits > 8 and int(found.max(initial=0)) > 0xFF
    return (found >> 8 if is_wide else found).astype(np.uint8)


def profile_of(dataset: Dataset) -> bytes | None:
    """Return the ICC profile that the instance says its colours are in (PS3.3 C.11.15)."""
    profile = first(dataset, "ICCProfile")
    if profile is None:
        profile = first(first(dataset, "OpticalPathSequence"), "ICCProfile")
    is_usable = isinstance(profile, bytes) and 128 <= len(profile) <= _MOST_PROFILE_BYTES
    return profile if is_usable else None


def srgb_profile() -> bytes:
    """Return the profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Return a picture whose colours are in `profile` with colours of sRGB."""
    try:
        converted = ImageCms.profileToProfile(
            picture, ImageCms.getOpenProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise NoPicture("(0028,2000)") from error
    assert converted is not None
    return converted
