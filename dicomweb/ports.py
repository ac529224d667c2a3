"""What the web services ask of whoever runs them: settings, and the stores behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Level = Literal["study", "series", "instance"]


@dataclass(frozen=True, slots=True)
class Resource:
    """A study, a series of it, or an instance of that: the path of a DICOMweb resource."""

    study_uid: str
    series_uid: str | None = None
    sop_instance_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A QIDO-RS search, validated (PS3.18 8.3.4 and 10.6).

    Attributes
    ----------
    matches
        Keyword to values as the client gave them (one; several for a list of UIDs). The keyword is
        always one of `dicomweb.attributes.MATCHABLE`; of a lower level, something below must match.
        Wildcards `*` and `?`, and DA/TM ranges `a-b`, as PS3.4 C.2.2.2.
    within
        The study or series named in the path, when there is one.
    sort
        Keywords of `dicomweb.attributes.SORTABLE[level]`, each with whether it descends. What it leaves
        equal comes newest study first, the instances of a study as they were stored.
    continues
        Whether this is a further page of an answer that has begun: what came since need not be in it.
    with_attributes
        Whether the caller will look at `Match.attributes`; where not, the store may leave it empty.
    also
        Tags of further attributes that `Match.attributes` has to hold of an instance: of its metadata, as they
        are there. Values that are named by a BulkDataURI need not be among them.
    """

    level: Level
    matches: Mapping[str, Sequence[str]]
    within: Resource | None
    fuzzy: bool
    limit: int
    offset: int
    with_attributes: bool = True
    also: frozenset[str] = frozenset()
    sort: Sequence[tuple[str, bool]] = ()
    continues: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """One search result: a DICOM JSON object ready to send, holding every attribute that the level has.

    `attributes` holds all known attributes of the level and those above it, counts and
    ModalitiesInStudy included; the service drops those that were not asked for.
    """

    attributes: bytes
    defaults: bytes


@dataclass(frozen=True, slots=True)
class InstanceFile:
    """Where one instance's bytes are."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    number_of_frames: int
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Picture:
    """How to draw an instance (PS3.18 8.3.5).

    Attributes
    ----------
    frame
        Counted from 1; None is all of them, in one moving picture.
    window
        Center, width, and LINEAR, LINEAR_EXACT or SIGMOID (PS3.3 C.11.2.1); None is as the instance says.
    viewport
        Width and height that the picture shall fit in, as large as it can.
    region
        Left, top, width and height of what is shown, in pixels of the source. A negative width or height
        mirrors it; zero is up to the edge.
    icc
        ``no``, ``yes`` or ``srgb``.
    state
        The presentation state that is applied.
    overlays
        ``yes``, ``no``, or ``only``: nothing but what is set in overlay planes, on transparent ground.
    """

    media_type: str
    frame: int | None = 1
    window: tuple[float, float, str] | None = None
    viewport: tuple[int, int] | None = None
    region: tuple[float, float, float, float] | None = None
    quality: int = 90
    icc: str = "no"
    annotations: tuple[str, ...] = ()
    state: InstanceFile | None = None
    overlays: str = "yes"


@dataclass(frozen=True, slots=True)
class NativeForm:
    """What the pixels of a compressed instance become when they are decoded.

    Attributes
    ----------
    frame_bytes
        Of one frame, in whole bytes; single bits follow each other without padding only in one frame.
    changes
        Values by tag that the data set must have then: photometric interpretation, planar configuration.
    """

    frames: int
    frame_bytes: int
    bits_allocated: int
    changes: Mapping[int, bytes]


class Imaging(Protocol):
    """Decodes and draws stored pixels, somewhere where they can do no harm.

    Raises `dicomweb.errors.NotRenderable` where that cannot be done with what is stored, and
    `dicomweb.errors.StoreFull` when there is too much to do. A region that is nowhere in the image is
    `dicomweb.errors.BadRequest`.
    """

    async def draw(self, file: InstanceFile, picture: Picture) -> bytes:
        """Return an encoded picture."""

    async def native_form(self, file: InstanceFile) -> NativeForm:
        """Return what decoding will give; only for what was compressed without loss."""

    async def decode(self, file: InstanceFile, frame: int) -> bytes:
        """Return the samples of a frame, counted from 1, in little endian."""


class Settings(Protocol):
    """What is decided about the web services by whoever runs them; none has a default here."""

    @property
    def max_results(self) -> int:
        """Most matches in one search answer."""

    @property
    def max_long_searches(self) -> int:
        """Most searches at the same time whose answers are long."""

    @property
    def max_body_bytes(self) -> int:
        """Most bytes of one request's body."""

    @property
    def max_instance_bytes(self) -> int:
        """Most bytes of one instance in it."""

    @property
    def max_parts(self) -> int:
        """Most instances in it."""

    @property
    def body_timeout_s(self) -> float:
        """How long it may stand still."""

    @property
    def min_bytes_per_s(self) -> float:
        """What it must gain, on the average over `body_timeout_s` of waiting for it."""


class Prepared(list[bytes]):
    """Prepared DICOM JSON objects, and by what a store tells them from what they were before.

    Attributes
    ----------
    made_of
        For each object something that changes with it, such as its checksum; empty where the store knows
        nothing of the kind.
    """

    def __init__(self, objects: Iterable[bytes] = (), made_of: Sequence[bytes] = ()) -> None:
        super().__init__(objects)
        self.made_of = made_of


class InstanceStore(Protocol):
    """One DICOM store, for reading. Raises `dicomweb.errors.StoreAway` where that cannot be done now."""

    async def search(self, query: Query) -> list[Match]:
        """Return at most `limit` matches after `offset`, in a stable order."""

    async def metadata(self, resource: Resource) -> list[bytes]:
        """Return the prepared DICOM JSON object of each instance; empty when there is none."""

    async def locate(self, resource: Resource) -> list[InstanceFile]:
        """Return the files of a study, series or instance; empty when there is none."""

    async def was_deleted(self, resource: Resource) -> bool:
        """Tell whether what is not there, or anything of it, was there once."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An instance that is now durable."""

    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str


class Upload(Protocol):
    """One instance of a STOW-RS request, on its way to the disk."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; raises `dicomweb.errors.StoreFull` past a limit."""

    async def finish(self) -> Accepted:
        """Make it durable, then name it.

        Raises `dicomweb.errors.InstanceRefused` (with SOP UIDs where they could be read) or
        `dicomweb.errors.StoreFull`.
        """

    def abort(self) -> None:
        """Forget the partial instance."""


class UploadSink(Protocol):
    """Where STOW-RS puts instances."""

    def open(self, peer: str) -> Upload:
        """Start receiving an instance; raises `dicomweb.errors.StoreFull`."""
