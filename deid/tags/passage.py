"""One pass over a data set: what each pass is given, what it learns, and the element it looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.encoding.header import tag_name
from deid.encoding.transfer_syntaxes import EXPLICIT_LITTLE
from deid.tags.midnight import NONE
from deid.tags.recognition import recognised

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deid.encoding.header import Buffer
    from deid.encoding.segments import Segment
    from deid.encoding.transfer_syntaxes import Encoding
    from deid.identity.facts import Person
    from deid.identity.identifiers import KnownIdentifier
    from deid.identity.residual import Forbidden
    from deid.tags.private import Block
    from deid.tags.repeated import Made
    from deid.tags.samples import Scrub
    from deid.tags.tag_plan import TagPlan

_MAX_KNOWN_BYTES: Final = 1024


class Given(NamedTuple):
    """What every pass over one data set is given.

    Attributes
    ----------
    source
        The buffer that holds the data set.
    plan
        The compiled configuration.
    sop_class_uid
        Decides attribute types and what an empty document looks like.
    person
        Pseudonym and shift of this instance's patient.
    charset
        Specific Character Set of the data set.
    known
        Identifiers known beforehand, for cleaning text.
    pixels
        The new value field of Pixel Data, when it was cleaned.
    blocks
        What the instance says of its private blocks, by creator and group.
    encoding
        How the data set is encoded.
    scrub
        Takes away what hides beside the samples, where they are not cleaned.
    """

    source: Buffer
    plan: TagPlan
    sop_class_uid: str
    person: Person
    charset: str = ""
    known: Sequence[KnownIdentifier] = ()
    pixels: Sequence[Segment] | None = None
    blocks: Mapping[tuple[str, int], Block] = MappingProxyType({})
    scrub: Scrub | None = None
    encoding: Encoding = EXPLICIT_LITTLE


class Known:
    """Originals met on the way: raw value, infoType and declared character set; and UIDs that were replaced."""

    def __init__(self) -> None:
        self.found: dict[tuple[bytes, str, str], None] = {}
        self.uids: set[bytes] = set()

    def add(self, raw: bytes, info_type: str, charset: str) -> None:
        """Remember a short original that is not empty; of a moment its day."""
        if info_type == "DATE":
            charset = ""
            if b"\\" not in raw:
                raw = raw[:8]
        if raw and len(raw) <= _MAX_KNOWN_BYTES:
            self.found[raw, info_type, charset] = None


@dataclass(slots=True)
class Passage:
    """One pass, as far as it has come.

    Attributes
    ----------
    forbidden
        Tests a decoded text for known identifiers; given on the second pass only. Everything textual
        that would be kept goes through it.
    charset
        Specific Character Set where the pass stands.
    path
        Enclosing sequences, and the item's number in each.
    known
        The originals that it met.
    actions
        ``tag << 8 | Action`` to how often it was applied.
    residuals
        Where a known identifier was found although the rules keep what stood there.
    labels
        Replaced labels, and what each stands for.
    descriptors
        Descriptors of lookup tables by where they stand and their tag.
    carries
        Dates that stand where the pass does, to the days by which their times pass midnight.
    """

    given: Given
    forbidden: Forbidden | None
    charset: str
    path: list[tuple[int, int]] = field(default_factory=list)
    known: Known = field(default_factory=Known)
    actions: dict[int, int] = field(default_factory=dict)
    residuals: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    descriptors: dict[tuple[tuple[tuple[int, int], ...], int], bytes] = field(default_factory=dict)
    carries: Mapping[int, tuple[int, ...]] = field(default_factory=lambda: NONE)

    @property
    def parent(self) -> int:
        """The tag of the sequence that is being gone through, 0 at the top level."""
        return self.path[-1][0] if self.path else 0

    def where(self, tag: int = 0) -> str:
        """Return the path to an element of the data set that is being gone through."""
        parts = [f"{tag_name(sequence)}[{number}]" for sequence, number in self.path]
        return ".".join([*parts, tag_name(tag)] if tag else parts)

    def count(self, tag: int, kind: int) -> None:
        """Note that something happened to an element."""
        key = tag << 8 | kind
        self.actions[key] = self.actions.get(key, 0) + 1

    def learn(self, made: Made) -> None:
        """Take over what an earlier pass learnt in the same sequence."""
        self.known.found.update(made.found)
        self.known.uids.update(made.uids)
        for action, times in made.actions.items():
            self.actions[action] = self.actions.get(action, 0) + times

    def names_anybody(self, raw: bytes, text: str, vr: str) -> bool:
        """Whether a known identifier stands in a value, as encoded or as decoded; False on the first pass."""
        return self.forbidden is not None and self.forbidden.occurs_in(raw, text, vr=vr)

    def may_stay(self, tag: int, vr: str, text: str) -> bool:
        """Whether a text is recognised as one that tells of nobody."""
        if self.names_anybody(b"", text, vr) or self.given.plan.tells_time(vr, text):
            return False
        return recognised(tag, vr, text)


class Original:
    """An element that does not simply stay: one object for the elements of a pass, each in its turn.

    Attributes
    ----------
    passage
        Where the element stands, and what is known there.
    vr
        The value representation that it is read as.
    raw
        The value as encoded.
    fallback
        The action where the one at hand cannot be carried out.
    """

    __slots__ = ("fallback", "passage", "raw", "tag", "vr")

    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self.tag = 0
        self.vr = ""
        self.raw = b""
        self.fallback = 0
