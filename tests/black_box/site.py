"""What a server holds, found out by asking: instances of each kind that checks need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import imagecodecs
from pydicom.encaps import generate_frames
from pydicom.errors import InvalidDicomError

from tests.black_box.asking import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydicom.dataset import FileDataset

EXPLICIT: Final = "1.2.840.10008.1.2.1"
LOSSLESS: Final = {
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.201": "image/jphc",
}
RLE: Final = "1.2.840.10008.1.2.5"
_DECODERS: Final = {
    "1.2.840.10008.1.2.4.70": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.90": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.201": imagecodecs.htj2k_decode,
}
LOSSY: Final = frozenset(
    {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.91"}
)
STATES: Final = "1.2.840.10008.5.1.4.1.1.11.1"


@dataclass(frozen=True)
class Instance:
    """One instance by its UIDs, and what the server says of it."""

    study: str
    series: str
    uid: str
    metadata: Mapping[str, Any]
    stored: FileDataset

    @property
    def path(self) -> str:
        """Its resource."""
        return f"/studies/{self.study}/series/{self.series}/instances/{self.uid}"

    @property
    def syntax(self) -> str:
        """The transfer syntax it is stored in."""
        return str(self.stored.file_meta.TransferSyntaxUID)

    def samples(self, number: int = 1) -> bytes:
        """Return the native samples of a frame, counted from 1, as other decoders see them."""
        count = self.frames
        if not self.stored.file_meta.TransferSyntaxUID.is_compressed or self.syntax == RLE:
            decoded = self.stored.pixel_array
            return bytes((decoded[number - 1] if count > 1 else decoded).tobytes())
        encoded = list(generate_frames(self.stored.PixelData, number_of_frames=count))[number - 1]
        return bytes(_DECODERS[self.syntax](encoded).tobytes())

    @property
    def frames(self) -> int:
        """Number of frames; 0 without pixels."""
        return int(self.stored.get("NumberOfFrames") or 1) if "PixelData" in self.stored else 0


class Site:
    """A service and its contents.

    Parameters
    ----------
    uri
        Address of its URI service, where that is not below the root.
    deletes
        Address below which it lets resources be deleted, where that is not the root.
    """

    def __init__(self, root: str, uri: str = "", deletes: str = "") -> None:
        self.client = Client(root.rstrip("/"))
        self.uri = uri or "/wado"
        self.deletes = deletes or root.rstrip("/")
        self.ask = self.client.ask

    @cached_property
    def instances(self) -> list[Instance]:
        """Every instance, by the search, its metadata, and as it is stored."""
        found = []
        for each in self.ask("/instances?limit=500&includefield=all").json:
            study, series, uid = (
                each[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")
            )
            path = f"/studies/{study}/series/{series}/instances/{uid}"
            (metadata,) = self.ask(f"{path}/metadata").json
            dataset = self._stored(path)
            if dataset is None:
                continue
            found.append(Instance(study, series, uid, metadata, dataset))
        return found

    def _stored(self, path: str) -> FileDataset | None:
        """Return an instance as it is stored, None where the server does not give it so."""
        kind = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        answer = self.ask(path, f"{kind}, application/dicom; transfer-syntax=*")
        try:
            return (
                answer.parts[0].dataset if answer.kind.startswith("multipart") else answer.dataset
            )
        except (InvalidDicomError, AssertionError, IndexError):
            return None

    def one(self, wanted: Callable[[Instance], bool], what: str) -> Instance:
        """Return the first instance that is wanted."""
        found = next((each for each in self.instances if wanted(each)), None)
        assert found is not None, f"the server holds no {what}"
        return found

    @cached_property
    def ct(self) -> Instance:
        """A native CT, of a series of several instances."""
        return self.one(
            lambda each: (
                each.syntax == EXPLICIT
                and each.stored.get("Modality") == "CT"
                and len(self.of_series(each)) > 1
            ),
            "native CT series",
        )

    @cached_property
    def cine(self) -> Instance:
        """A native instance of several frames, of grey."""
        return self.one(
            lambda each: (
                each.syntax == EXPLICIT and each.frames > 2 and each.stored.BitsAllocated > 1
            ),
            "instance of several frames",
        )

    @cached_property
    def lossy(self) -> Instance:
        """An instance that lost something."""
        return self.one(lambda each: each.syntax in LOSSY, "lossy instance")

    @cached_property
    def report(self) -> Instance:
        """An instance without pixels."""
        return self.one(lambda each: each.stored.get("Modality") == "SR", "report")

    @cached_property
    def state(self) -> Instance:
        """A grayscale softcopy presentation state."""
        return self.one(lambda each: each.stored.SOPClassUID == STATES, "presentation state")

    def in_syntax(self, syntax: str) -> Instance:
        """Return an instance in a transfer syntax."""
        return self.one(lambda each: each.syntax == syntax, f"instance in {syntax}")

    def of_series(self, instance: Instance) -> list[Instance]:
        """Return the instances of its series."""
        return [each for each in self.instances if each.series == instance.series]

    def of_study(self, instance: Instance) -> list[Instance]:
        """Return the instances of its study."""
        return [each for each in self.instances if each.study == instance.study]
