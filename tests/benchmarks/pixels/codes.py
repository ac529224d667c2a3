"""Bar codes and two-dimensional codes, as film labels and screens show them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import zxingcpp

from tests.benchmarks.pixels.burn import Placed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from numpy.typing import NDArray

    from tests.benchmarks.pixels.bases import Base

#: Name -> what writes it.
SYMBOLOGIES: Final[Mapping[str, Any]] = {
    "Code 39": zxingcpp.BarcodeFormat.Code39,
    "Code 128": zxingcpp.BarcodeFormat.Code128,
    "EAN-13": zxingcpp.BarcodeFormat.EAN13,
    "ITF": zxingcpp.BarcodeFormat.ITF,
    "Codabar": zxingcpp.BarcodeFormat.Codabar,
    "Data Matrix": zxingcpp.BarcodeFormat.DataMatrix,
    "QR Code": zxingcpp.BarcodeFormat.QRCode,
    "PDF417": zxingcpp.BarcodeFormat.PDF417,
    "Aztec": zxingcpp.BarcodeFormat.Aztec,
}
_BARS: Final = ("Code 39", "Code 128", "EAN-13", "ITF", "Codabar")


def modules(symbology: str, value: str) -> NDArray[np.uint8]:
    """Return a code, one pixel a module, dark 0 and bright 255, without a quiet zone.

    Codes of bars are one row.
    """
    code = zxingcpp.create_barcode(value, SYMBOLOGIES[symbology])
    drawn = np.array(code.to_image(scale=1, add_quiet_zones=False))
    return drawn[:1] if symbology in _BARS else drawn


def drawn(random: Random, symbology: str, value: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a label (0 to 255) and which of its pixels are the code; its size, turn and edge vary."""
    code = modules(symbology, value)
    side = random.choice([1, 2, 2, 3, 3, 4] if symbology in _BARS else [2, 2, 3, 4])
    if symbology in _BARS:
        code = np.repeat(code, max(random.randrange(14, 60) // side, 4), axis=0)
    code = np.kron(code, np.ones((side, side), np.uint8))
    inside = np.full_like(code, 255)
    quiet = random.choice([0, 0, 2, 10]) * side
    code = np.pad(code, quiet, constant_values=255)
    inside = np.pad(inside, quiet)
    if random.random() < 0.25:
        code = 255 - code
    turn = random.choice([0, 0, 0, 90, 90, random.uniform(-12, 12)])
    if turn == 90:
        return np.rot90(code), np.rot90(inside) > 127
    if not turn:
        return code, inside > 127
    rows, columns = code.shape
    wide = int(columns + rows * 0.25) + 2
    tall = int(rows + columns * 0.25) + 2
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), turn, 1)
    matrix[:, 2] += ((wide - columns) / 2, (tall - rows) / 2)
    label = cv2.warpAffine(code, matrix, (wide, tall), borderMode=cv2.BORDER_REPLICATE)
    return label, cv2.warpAffine(inside, matrix, (wide, tall)) > 127


def burn_code(random: Random, base: Base, symbology: str, value: str) -> tuple[Base, list[Placed]]:
    """Return the base with a label somewhere on it; nothing is placed where none fits."""
    label, inside = drawn(random, symbology, value)
    rows, columns = base.values.shape[:2]
    tall, wide = label.shape
    if tall + 4 > rows or wide + 4 > columns:
        return base, []
    top, left = random.randrange(1, rows - tall), random.randrange(1, columns - wide)
    low, high = base.shown_range
    span = high - low
    dark = low + span * random.uniform(0, 0.2)
    bright = low + span * random.uniform(0.6, 1)
    shown = dark + (bright - dark) * label.astype(np.float32) / 255
    values = base.values.copy()
    area = values[top : top + tall, left : left + wide]
    area[:] = (shown if area.ndim == 2 else shown[..., None]).astype(values.dtype)
    ink: NDArray[np.bool_] = np.zeros((rows, columns), np.bool_)
    ink[top : top + tall, left : left + wide] = inside
    return replace(base, values=values), [Placed(symbology, True, ink)]


def some_value(random: Random, symbology: str) -> str:
    """Return a record number that the symbology can hold."""
    if symbology == "EAN-13":
        return str(random.randrange(10**11, 10**12))
    if symbology == "Codabar":
        return f"A{random.randrange(10**6, 10**8)}B"
    if symbology == "ITF":
        return str(random.randrange(10**5, 10**6) * 100 + random.randrange(100))
    return f"{random.choice('ABHKMX')}{random.randrange(10**5, 10**8)}"
