"""What a tool made of a hiding place: leaks, losses, broken references, unreadable output."""

from __future__ import annotations

import io
import re
import subprocess
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import pydicom

from deid.tables.dictionary import uids
from deid.tags.equipment import EQUIPMENT_UIDS
from tests.adversarial.corpus import flatten, relaxed, text_of
from tests.conftest import program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydicom.dataset import Dataset

    from tests.adversarial.corpus import HidingPlace

_CODECS = (
    "utf-8", "latin-1", "cp1252", "utf-16-le", "utf-16-be", "iso2022_jp", "shift_jis", "euc_jp",
    "euc_kr", "gb18030", "iso8859-2", "iso8859-5", "iso8859-7", "iso8859-8", "iso8859-6", "koi8-r",
)  # fmt: skip
_REGISTERED = ("1.2.840.10008.",)


@dataclass(slots=True)
class Score:
    """What became of one place.

    Attributes
    ----------
    leaks
        Where the markers that were found had been planted.
    lost
        Paths that the profile keeps and that are missing or changed.
    broken
        Pairs of paths, or a path, whose UIDs do not agree any more.
    unreadable
        Why the output cannot be read; empty when it can.
    """

    place: str
    leaks: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    unreadable: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing leaked."""
        return not self.leaks


@dataclass(slots=True)
class Scorer:
    """Judges outputs of one tool under one preset; remembers UIDs, so that all files have to agree.

    Attributes
    ----------
    across
        Whether the same UID must get the same replacement in all files.
    """

    preset: str = "basic"
    across: bool = True
    replacements: dict[str, str] = field(default_factory=dict)
    originals: dict[str, str] = field(default_factory=dict)

    def score(self, place: HidingPlace, output: bytes) -> Score:
        """Return the score of one output file."""
        seen = _seen(output)
        elements = seen.elements
        result = Score(place.id, unreadable=seen.unreadable)
        for marker in place.markers(self.preset):
            if any(form in each for form in forms(marker) for each in seen.haystack):
                result.leaks[marker] = place.planted[marker]
        if result.unreadable:
            return result
        for path, value in place.kept.items():
            element = elements.get(path)
            if element is None or text_of(element) != value:
                result.lost.append(path)
        self._references(place, elements, result)
        return result

    def _references(
        self, place: HidingPlace, elements: dict[str, pydicom.DataElement], result: Score
    ) -> None:
        for path, other in place.references:
            one, two = elements.get(path), elements.get(other)
            if one is None or two is None or one.value != two.value:
                result.broken.append(f"{path} = {other}")
        replaced = self.replacements if self.across else {}
        reverse = self.originals if self.across else {}
        for path, originals in _source_uids(place):
            after = elements.get(path)
            if after is None or after.VR != "UI":
                continue
            if int(after.tag) in EQUIPMENT_UIDS:
                continue  # one for each patient
            for old, new in zip(originals, _uids(after), strict=False):
                if not new:
                    continue
                if replaced.setdefault(old, new) != new or reverse.setdefault(new, old) != old:
                    result.broken.append(path)


@dataclass(frozen=True, slots=True)
class _Seen:
    """An output as it is searched: its bytes, and what a reader makes of it."""

    haystack: tuple[bytes, ...]
    elements: dict[str, pydicom.DataElement]
    unreadable: str = ""


@lru_cache(maxsize=600)
def _seen(output: bytes) -> _Seen:
    """Read an output; under one preset hundreds of places come to some 460 different ones."""
    plain = output.lower(), inflated(output).lower()
    try:
        with relaxed():
            dataset = pydicom.dcmread(io.BytesIO(output))
            elements = flatten(dataset)
            visible = _visible(dataset, elements).lower().encode("utf-8", "surrogatepass")
    except Exception as error:  # noqa: BLE001 - whatever a broken output makes pydicom raise
        return _Seen(plain, {}, type(error).__name__)
    return _Seen((*plain, visible), elements)


@lru_cache(maxsize=10_000)
def _source_uids(place: HidingPlace) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return path and values of the UIDs of a source that are no class or other registered UID."""
    with relaxed():
        dataset = pydicom.dcmread(io.BytesIO(place.content))
        found = flatten(dataset, only="UI")
    return tuple(
        (path, values)
        for path, element in found.items()
        if (values := tuple(uid for uid in _uids(element) if not _is_registered(uid)))
        and len(values) == len(_uids(element))
    )


def _is_registered(uid: str) -> bool:
    return not uid or uid in uids() or uid.startswith(_REGISTERED)


def _uids(element: pydicom.DataElement) -> list[str]:
    return text_of(element).split("\\")


@lru_cache(maxsize=100_000)
def forms(marker: str) -> tuple[bytes, ...]:
    """Return the encoded forms of a marker, in lower case as far as bytes have it."""
    found: dict[bytes, None] = {}
    for codec in _CODECS:
        try:
            found[marker.lower().encode(codec).lower()] = None
            found[marker.encode(codec).lower()] = None
        except UnicodeError:
            continue
    return tuple(found)


def inflated(content: bytes) -> bytes:
    """Return the data set of a deflated file, or nothing."""
    if b"1.2.840.10008.1.2.1.99" not in content[:1000]:
        return b""
    start = 144 + int.from_bytes(content[140:144], "little")
    try:
        return zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(content[start:])
    except zlib.error:
        return b""


def _visible(dataset: Dataset, elements: dict[str, pydicom.DataElement]) -> str:
    """Return every decoded string that a reader gets to see, file meta included."""
    texts = [text_of(element) for element in elements.values() if element.VR not in _BULK]
    texts += [text_of(element) for element in flatten(dataset.file_meta).values()]
    return "\n".join(texts)


_BULK = {"OB", "OW", "OF", "OD", "OL", "OV", "US", "SS", "UL", "SL", "FL", "FD", "AT", "UN"}


# Values in messages: what was planted, or the dummy in its place. The attribute's name stays.
_VALUES = re.compile(r"(?<=value )<[^>]*>|(?<=value is )<[^>]*>|(?<== )<[^>]*>|(?<=- )'.'(?= -)")


def dcmdump_complaints(paths: Sequence[Path]) -> dict[Path, str]:
    """Return what dcmdump has against files, by file; those that it reads are not in the result.

    It reads its dictionary whenever it starts, so it gets all of them at once. Which one it has
    something against is asked, one by one, where its exit status says that there is one.
    """
    command = [str(program("dcmdump")), "-q", "+L"]
    if subprocess.run([*command, *paths], capture_output=True, check=False).returncode == 0:
        return {}
    said = {
        path: subprocess.run([*command, path], capture_output=True, check=False) for path in paths
    }
    return {
        path: done.stderr.decode("latin-1") for path, done in said.items() if done.returncode != 0
    }


def dciodvfy_errors(path: Path, folder: Path) -> set[str]:
    """Return the error lines of dciodvfy; deflated files are inflated first, as it misreads some."""
    plain = path
    if b"1.2.840.10008.1.2.1.99" in path.read_bytes()[:1000]:
        plain = folder / f"{path.stem}.plain"
        subprocess.run([str(program("dcmconv")), "+te", str(path), str(plain)], check=False)
    said = subprocess.run([str(program("dciodvfy")), str(plain)], capture_output=True, check=False)
    lines = (said.stderr + said.stdout).decode("latin-1").splitlines()
    return {_VALUES.sub("<>", line) for line in lines if line.startswith("Error")}
