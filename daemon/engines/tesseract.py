"""Tesseract as a text detector: a program of its own, fed and read through pipes.

pytesseract would write the picture and the text that was read into temporary files; names do not
belong there. So pytesseract only tells where the program is and which version, and the picture goes
in through stdin and the table of words comes out of stdout. The program is killed when it takes too
long.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytesseract

from daemon.engines.models import PixelModels, make_detector
from deid.pixels.find.tuning import Tuning
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture, TextDetector, TextRegion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ENLARGE_BELOW = 1100  # pixels: of small lettering on screens of 1024, 24 % is found instead of 7 %
_BEST_PAGE_SEGMENTATION = "11"  # sparse text


class TesseractFailed(Exception):
    """The program is missing, was killed, or ended with an error."""


class LanguageMissing(TesseractFailed):
    """The program has no data for a language."""


class Tesseract:
    """Finds words with the tesseract program; needs no model runtime.

    Parameters
    ----------
    languages
        As Tesseract's ``-l``.
    timeout_s
        For one picture in one view.
    least_confidence
        Words read with less, 0 to 1, or of a single letter, are no text: it reads them into noise.
    """

    def __init__(
        self, *, languages: str = "eng", timeout_s: float = 60.0, least_confidence: float = 0.5
    ) -> None:
        try:
            self.version = str(pytesseract.get_tesseract_version())
        except (pytesseract.TesseractNotFoundError, SystemExit) as error:
            raise TesseractFailed("tesseract is not installed") from error
        self._program = pytesseract.pytesseract.tesseract_cmd
        self._languages = languages
        self._timeout_s = timeout_s
        self._least_confidence = least_confidence

    def find(
        self,
        pictures: Sequence[Picture],
        *,
        needs_reading: bool = True,  # noqa: ARG002 - it reads in any case
    ) -> list[list[TextRegion]]:
        """Return the text regions of each picture: lines, upright and turned by 90 degrees."""
        return [self._find(picture) for picture in pictures]

    def _find(self, picture: Picture) -> list[TextRegion]:
        grey = cv2.cvtColor(picture.display, cv2.COLOR_RGB2GRAY)
        regions: list[TextRegion] = []
        regions += self._lines(grey)
        regions += self._lines(255 - grey)
        if picture.contrast is not None:
            regions += self._lines(picture.contrast)
        rows, columns = grey.shape
        for region in self._lines(np.ascontiguousarray(np.rot90(grey))):
            box = region.box
            turned = Box(columns - box.bottom, box.left, box.height, box.width)
            regions.append(TextRegion(turned, region.confidence, region.text, region.legibility))
        return [
            region
            for region in regions
            if min(region.box.width, region.box.height) <= max(40, 0.2 * min(rows, columns))
        ]

    def _lines(self, view: NDArray[Any]) -> list[TextRegion]:
        scale = 2.0 if max(view.shape) < _ENLARGE_BELOW else 1.0
        if scale != 1.0:
            view = cv2.resize(view, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        words: dict[tuple[str, ...], list[tuple[Box, float, str]]] = defaultdict(list)
        for row in csv.DictReader(
            io.StringIO(self._table(view)), delimiter="\t", quoting=csv.QUOTE_NONE
        ):
            text, confidence = (row.get("text") or "").strip(), float(row.get("conf") or -1) / 100
            letters = sum(character.isalnum() for character in text)
            if letters < 2 or confidence < self._least_confidence:
                continue
            left, top, width, height = (
                int(int(row[key]) / scale) for key in ("left", "top", "width", "height")
            )
            line = (row["block_num"], row["par_num"], row["line_num"])
            words[line].append((Box(left, top, width + 1, height + 1), confidence, text))
        return [_line(parts) for parts in words.values()]

    def _table(self, view: NDArray[Any]) -> str:
        is_encoded, image = cv2.imencode(".pgm", view)
        assert is_encoded
        command = [self._program, "stdin", "stdout", "-l", self._languages]
        command += ["--psm", _BEST_PAGE_SEGMENTATION, "--dpi", "150", "tsv"]
        try:
            done = subprocess.run(  # noqa: S603 - our own program and options, no shell
                command,
                input=image.data,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=self._timeout_s,
                check=True,
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            )
        except (OSError, subprocess.SubprocessError) as error:
            # `from None`: the error of a killed program carries what it had read so far.
            raise TesseractFailed(type(error).__name__) from None
        return done.stdout.decode("utf-8", "replace")


class United:
    """Several detectors as one: everything that any of them finds."""

    def __init__(self, *detectors: TextDetector) -> None:
        self._detectors = detectors

    def find(
        self, pictures: Sequence[Picture], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        """Return the regions of all detectors for each picture."""
        answers = [
            detector.find(pictures, needs_reading=needs_reading) for detector in self._detectors
        ]
        return [
            [region for regions in found for region in regions]
            for found in zip(*answers, strict=True)
        ]


def check_languages(languages: str) -> None:
    """Find out whether tesseract can run here with these languages (``deu+eng``).

    Raises
    ------
    TesseractFailed
        When it is not installed.
    LanguageMissing
        Naming the languages that are not.
    """
    try:
        installed = set(pytesseract.get_languages())
    except (pytesseract.TesseractNotFoundError, SystemExit, OSError) as error:
        raise TesseractFailed("tesseract is not installed") from error
    missing = [name for name in languages.split("+") if name not in installed]
    if missing:
        raise LanguageMissing(f"tesseract has no language {', '.join(missing)} installed")


def make_paranoid_detector(
    models: PixelModels | None = None,
    *,
    threads: int = 1,
    timeout_s: float = 60.0,
    languages: str = "eng",
) -> TextDetector:
    """Return the ``paranoid`` setting: PP-OCR with a look at half resolution, and Tesseract."""
    first = make_detector(models, threads=threads, tuning=Tuning(half_resolution=True))
    return United(first, Tesseract(languages=languages, timeout_s=timeout_s))


def _line(words: Sequence[tuple[Box, float, str]]) -> TextRegion:
    box = words[0][0]
    for other, _, _ in words[1:]:
        box = box.joined(other)
    confidence = sum(entry[1] for entry in words) / len(words)
    return TextRegion(box, confidence, " ".join(entry[2] for entry in words), confidence)
