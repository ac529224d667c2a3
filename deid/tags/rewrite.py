"""Rewrite the encoded stream of data elements.

What stays is copied as bytes, runs of it at once; what changes is encoded anew; Pixel Data is never looked
at. Every sequence at every depth goes through the same rules, also in private elements that are kept and
in elements encoded as UN (PS3.5 6.2.2).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydicom._uid_dict import UID_dictionary

from deid.encoding.character_sets import decode, encode, is_defined, is_readable
from deid.encoding.header import MAX_DEPTH, Buffer, skip_items, tag_name
from deid.encoding.segments import Segment, Span
from deid.encoding.transfer_syntaxes import IMPLICIT_LITTLE, MOST_SHORT, UNDEFINED_LENGTH, Encoding
from deid.errors import Reason, Unsafe
from deid.identity.keys import patient_identity
from deid.tags import private, values
from deid.tags.actions import FALLBACK_SHIFT, KIND_MASK, KNOWN, LONG_FORM, Action
from deid.tags.content import (
    CONTENT_SEQUENCE,
    CONTENT_SEQUENCES,
    MEASURED_VALUE,
    NUMERIC_VALUE,
    Fate,
    age_of,
    concept_of,
    has_references,
    value_of,
)
from deid.tags.recognition import SAMPLES, is_number, may_stay, recognised
from deid.tags.rules import (
    ACTION_MASK,
    CONTENT_VRS,
    KEY_SHIFT,
    PATIENT_ID,
    TAG_SHIFT,
    fallback_action,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deid.identity.identifiers import KnownIdentifier
    from deid.identity.residual import Forbidden
    from deid.pixels.beside.scrub import Scrubbed
    from deid.plan import Plan
    from deid.tags.rules import Table

_SPAN_MIN: Final = 1 << 16
_NEVER: Final = 1 << 64
_MAX_KNOWN_BYTES: Final = 1024
_MEMO_ENTRIES: Final = 50_000

_SHORT_KIND: Final = KIND_MASK | LONG_FORM
_KEEP: Final = int(Action.KEEP)
_CHECK: Final = int(Action.CHECK)
_DROP: Final = int(Action.DROP)
_RECURSE: Final = int(Action.RECURSE)
_RECURSE_DUMMY: Final = int(Action.RECURSE_DUMMY)
_PIXELS: Final = int(Action.PIXELS)
_ITEM_END: Final = int(Action.ITEM_END)
_REFUSE: Final = int(Action.REFUSE)
_PRIVATE_CREATOR: Final = int(Action.PRIVATE_CREATOR)
_PRIVATE: Final = int(Action.PRIVATE)
_MARKER: Final = int(Action.MARKER)
_EMPTY: Final = int(Action.EMPTY)
_STAYING: Final = frozenset({_KEEP, _CHECK, _PIXELS, _RECURSE})
_DUMMY: Final = int(Action.DUMMY)
_UNRECOGNISED: Final = int(Action.UNRECOGNISED)


_HANDLERS: Final = {
    int(Action.KEEP): "_kept",
    int(Action.CHECK): "_checked",
    int(Action.DROP): "_removed",
    int(Action.EMPTY): "_emptied",
    int(Action.DUMMY): "_dummied",
    int(Action.REPLACE_UID): "_uids",
    int(Action.KEEP_REGISTERED_UID): "_registered",
    int(Action.PSEUDONYM): "_pseudonymised",
    int(Action.TOKEN): "_token",
    int(Action.SHIFT): "_shifted",
    int(Action.CAP_AGE): "_aged",
    int(Action.CLEAN): "_clean",
    int(Action.CHARACTER_SET): "_character_set",
    int(Action.DOCUMENT): "_document",
    int(Action.UNRECOGNISED): "_unrecognised",
}
"""The method that makes the new value, by action."""


@dataclass(slots=True)
class Person:
    """What replacement values of one instance depend on: its patient.

    `patient_id` and `issuer` are the originals at the top level; never for logs.
    """

    patient_id: str
    issuer: str
    pseudonym: str
    shift_days: int


@dataclass(slots=True)
class Known:
    """Originals met on the way: raw value, infoType and declared character set."""

    found: dict[tuple[bytes, str, str], None] = field(default_factory=dict)

    def add(self, raw: bytes, info_type: str, charset: str) -> None:
        """Remember a short original that is not empty."""
        if raw and len(raw) <= _MAX_KNOWN_BYTES:
            self.found[raw, info_type, charset] = None


class Rewriter:
    """Rewrites one data set.

    Parameters
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
        What the instance says of its private blocks.
    scrub
        Takes away what hides beside the samples: called with start and end of Pixel Data's value field and
        whether it is encapsulated. Where it could not look, `opaque_samples` says so.
    forbidden
        Tests a decoded text for known identifiers; given on the second pass only. Everything textual
        that would be kept goes through it.
    """

    def __init__(
        self,
        source: Buffer,
        plan: Plan,
        sop_class_uid: str,
        person: Person,
        *,
        charset: str = "",
        known: Sequence[KnownIdentifier] = (),
        pixels: Sequence[Segment] | None = None,
        blocks: private.Blocks | None = None,
        scrub: Callable[[int, int, bool], Scrubbed] | None = None,
        forbidden: Forbidden | None = None,
    ) -> None:
        self.source = source
        self.plan = plan
        self.sop_class_uid = sop_class_uid
        self.person = person
        self.charset = charset
        self.forbidden = forbidden
        self.known_before = known
        self.known = Known()
        self.actions: dict[int, int] = {}
        self.residuals: list[str] = []
        self.pixels = pixels
        self.blocks = blocks or {}
        self._block_creators = {
            creator
            for (creator, _group), block in self.blocks.items()
            if block.is_safe or block.safe or block.actions
        }
        self.scrub = scrub
        self.opaque_samples: tuple[Span, ...] = ()
        self.samples = range(0)
        self.pixels_seen = False
        self._keeps_positions = False
        self._path: list[tuple[int, int]] = []  # enclosing sequences, and the item's number in each
        self._is_image = False

    def rewrite(
        self, pos: int, encoding: Encoding, inserts: Sequence[tuple[int, bytes]]
    ) -> list[Segment]:
        """Return the new data set.

        Parameters
        ----------
        pos
            Where the data set begins; it ends with the buffer.
        inserts
            ``(tag, encoded element)`` in ascending order: put in their place, instead of what the source
            has there. An empty element only removes.

        Raises
        ------
        Unsafe
            When the structure makes no sense. Bytes after the data set are dropped.
        """
        out: list[Segment] = []
        table = self.plan.rules.root(self.sop_class_uid, encoding)
        try:
            self._dataset(table, pos, len(self.source), 0, out, inserts)
        except struct.error as error:
            raise Unsafe(Reason.TRUNCATED, self._where(0)) from error
        return out

    def _dataset(  # the hot loop: one function, few attribute look-ups
        self,
        table: Table,
        pos: int,
        end: int,
        depth: int,
        out: list[Segment],
        inserts: Sequence[tuple[int, bytes]] = (),
        *,
        delimited: bool = False,
    ) -> int:
        """Rewrite elements from `pos` to `end`, or to the Item Delimitation Item; return where it stopped."""
        source = self.source
        encoding = table.encoding
        explicit = encoding.explicit
        unpack = encoding.head.unpack_from
        long = encoding.long.unpack_from
        short = encoding.short.pack
        get = table.known.get
        decide = self.plan.rules.decide
        judged = self.plan.judged.setdefault(encoding, {})
        actions = self.actions
        strict = self.forbidden is not None
        creators: dict[int, _Creator] = {}
        insert_at = 0
        insert_entry = inserts[0][0] << TAG_SHIFT if inserts else _NEVER
        run = pos
        while pos < end:
            if end - pos < 8:
                if depth == 0 and self._is_trailing(pos, end):
                    break
                raise Unsafe(Reason.TRUNCATED, self._where(0))
            head, length = unpack(source, pos)
            value = pos + 8
            entry = get(head)
            if entry is None:
                entry = decide(table, head)
            action = entry & ACTION_MASK
            if entry < insert_entry and not length & 1 and value + length <= end:
                # Nearly all: with a short header, and nothing to be put before them.
                after = value + length
                if action & ~KNOWN == _DROP:
                    if pos > run:
                        self._flush(run, pos, depth, out)
                    tag = entry >> TAG_SHIFT
                    if action & KNOWN:
                        word = entry >> KEY_SHIFT & 0xFFFF
                        self._remember(tag, word, encoding, source[value:after])
                    count = tag << 8 | _DROP
                    actions[count] = actions.get(count, 0) + 1
                    pos = run = after
                    continue
                is_checked = action & _SHORT_KIND == _CHECK
                if not strict and (not action or (is_checked and judged.get(source[pos:after]))):
                    pos = after
                    continue
            key = entry >> KEY_SHIFT
            if entry >= insert_entry:
                run = self._flush(run, pos, depth, out)
                while insert_at < len(inserts) and inserts[insert_at][0] <= key >> 16:
                    if inserts[insert_at][0] == key >> 16:
                        kind = _MARKER if inserts[insert_at][1] else _DROP
                        action = kind | action & (LONG_FORM | KNOWN)
                    out.append(inserts[insert_at][1])
                    insert_at += 1
                is_more = insert_at < len(inserts)
                insert_entry = inserts[insert_at][0] << TAG_SHIFT if is_more else _NEVER
            if action & LONG_FORM:
                if length:
                    # Two bytes that shall be zero (PS3.5 7.1.2), and a place to hide in.
                    raise Unsafe(Reason.MALFORMED, self._where(key >> 16))
                length = long(source, pos + 8)[0]
                value = pos + 12
            after = value + length
            kind = action & KIND_MASK
            if length & 1 and kind != _ITEM_END:
                # Odd, and so undefined or wrong (PS3.5 7.1.1).
                if length == UNDEFINED_LENGTH:
                    after = self._end_of_undefined(kind, pos, value, end, depth, encoding)
                elif after <= end and kind in _STAYING and not self._is_passed_over(kind, depth):
                    run = self._flush(run, pos, depth, out)
                    self._put_even(kind, action, key, pos, value, after, encoding, out)
                    pos = run = after
                    continue
            if after > end:
                if depth == 0 and self._is_trailing(pos, end):
                    break
                raise Unsafe(Reason.LENGTH_PAST_END, self._where(key >> 16))
            if kind == _KEEP and after >= 0 and not (strict and self._is_text(key, encoding)):
                pos = after
                continue
            if kind == _CHECK and after >= 0 and not strict:
                if not length:
                    pos = after
                    continue
                raw = source[value:after]
                verdict = judged.get(source[pos:after])
                if verdict is None:
                    verdict = self._judge(key, encoding, source[pos:after], raw)
                if verdict:
                    pos = after
                    continue
                kind = action >> FALLBACK_SHIFT
                if kind == _DUMMY or b"\x00" in raw[:-1] or b"\\" in raw:
                    action, kind = kind << FALLBACK_SHIFT, _UNRECOGNISED
            # From here on the element does not stay as it is: the run of kept bytes ends before it.
            if pos > run:
                if depth == 0 and pos - run >= _SPAN_MIN:
                    out.append(Span(run, pos))
                else:
                    out.append(source[run:pos])
                run = pos
            tag, word = key >> 16, key & 0xFFFF
            count = tag << 8 | kind
            if kind == _DROP:
                if action & KNOWN:
                    self._remember(tag, word, encoding, source[value:after])
            elif kind == _EMPTY:
                if action & KNOWN:
                    self._remember(tag, word, encoding, source[value:after])
                out.append(self._empty(key, encoding))
            elif kind == _PIXELS:
                if depth == 0 and not self.pixels_seen:
                    self._put_pixels(pos, value, after, encoding, out)
                    pos = run = after
                    continue
                count = tag << 8 | _DROP
                self._is_image = True
            elif kind == _ITEM_END:
                if not delimited:
                    raise Unsafe(Reason.MALFORMED, self._where(tag))
                self._finish_creators(creators, out)
                return value
            elif kind == _REFUSE:
                if depth == 0 and self._is_trailing(pos, end):
                    run = end
                    break
                raise Unsafe(Reason.MALFORMED, self._where(tag))
            elif kind in (_PRIVATE_CREATOR, _PRIVATE):
                pos = run = self._private(
                    table, kind, tag, pos, value, length, end, depth, out, creators
                )
                continue
            elif kind in (_RECURSE, _RECURSE_DUMMY) or after < 0:
                actions[count] = actions.get(count, 0) + 1
                pos = run = self._sequence(
                    table, tag, pos, value, length, end, depth, out, dummy=kind == _RECURSE_DUMMY
                )
                continue
            elif kind != _MARKER:
                replacement = self._replace(
                    kind, action >> FALLBACK_SHIFT, tag, word, encoding, source[value:after]
                )
                if replacement is _UNCHANGED:
                    pos = after
                    continue
                if replacement is not None:
                    if explicit and value - pos == 8 and len(replacement) <= MOST_SHORT:
                        out.append(source[pos : value - 2] + short(len(replacement)) + replacement)
                    else:
                        out.append(encoding.element(tag, encoding.vr_bytes(word), replacement))
            actions[count] = actions.get(count, 0) + 1
            pos = run = after
        else:
            if delimited:
                raise Unsafe(Reason.TRUNCATED, self._where(0))
            if pos != end:
                raise Unsafe(Reason.LENGTH_PAST_END, self._where(0))
        self._flush(run, pos, depth, out)
        if creators:
            self._finish_creators(creators, out)
        out.extend(element for _tag, element in inserts[insert_at:])
        return pos

    def _end_of_undefined(
        self, kind: int, pos: int, value: int, end: int, depth: int, encoding: Encoding
    ) -> int:
        """Return where a value of undefined length ends, or -1 when it has to be gone through."""
        if kind in (_RECURSE, _RECURSE_DUMMY, _PRIVATE, _KEEP, _CHECK):
            return -1
        if kind == _REFUSE:
            return value
        if kind == _PIXELS and depth == 0:
            return skip_items(self.source, value, end, encoding, depth)
        return skip_items(self.source, value, end, self._content_encoding(pos, encoding), depth + 1)

    def _put_even(
        self,
        kind: int,
        action: int,
        key: int,
        pos: int,
        value: int,
        after: int,
        encoding: Encoding,
        out: list[Segment],
    ) -> None:
        """Put out an element that stays and whose value has an odd length, made even (PS3.5 7.1.1).

        Text is padded; a number cut short is not one.
        """
        tag, word = key >> 16, key & 0xFFFF
        vr, _info_type = self.plan.nature(tag, word, encoding)
        if kind == _PIXELS:
            self._put_pixels(pos, value, after, encoding, out)
            return
        if vr in _NUMBERS or kind == _RECURSE:
            raise Unsafe(Reason.MALFORMED, self._where(tag))
        length_size = 4 if action & LONG_FORM or not encoding.explicit else 2
        pack = encoding.long.pack if length_size == 4 else encoding.short.pack
        head = self.source[pos : value - length_size] + pack(after - value + 1)
        raw = self.source[value:after]
        padded = raw + (b"\x00" if vr in _BINARY or vr == "UI" else b" ")
        if kind == _CHECK or (kind == _KEEP and self.forbidden is not None and vr not in _BINARY):
            kept = self._checked(action >> FALLBACK_SHIFT, tag, vr, padded)
            if kept is None:
                return
            if kept is not _UNCHANGED:
                out.append(encoding.element(tag, encoding.vr_bytes(word), kept))
                return
            if not self._may_stay(tag, vr, decode(raw, self.charset)):
                return
        out.append(head + padded)

    def _remember(self, tag: int, word: int, encoding: Encoding, raw: bytes) -> None:
        """Keep an original in mind for the residual check."""
        _vr, info_type = self.plan.nature(tag, word, encoding)
        if info_type:
            self.known.add(raw, info_type, self.charset)

    def _empty(self, key: int, encoding: Encoding) -> bytes:
        """Return an encoded element without a value."""
        found = self.plan.empties.get((key, encoding))
        if found is None:
            found = encoding.element(key >> 16, encoding.vr_bytes(key & 0xFFFF), b"")
            if len(self.plan.empties) < _MEMO_ENTRIES:
                self.plan.empties[key, encoding] = found
        return found

    # ------------------------------------------------------------------ sequences

    def _sequence(
        self,
        table: Table,
        tag: int,
        pos: int,
        value: int,
        length: int,
        end: int,
        depth: int,
        out: list[Segment],
        *,
        dummy: bool,
    ) -> int:
        """Rewrite a sequence; return the position after it. Defined lengths stay defined.

        An item that holds an image, such as an icon, goes as a whole, and so does a sequence of nothing else.
        """
        if depth + 1 > MAX_DEPTH:
            raise Unsafe(Reason.NESTING_TOO_DEEP, self._where(tag))
        outer = table.encoding
        inner = self._content_encoding(pos, outer)
        dummy = dummy or table.dummy
        child = self.plan.rules.child(table, tag, dummy=dummy, encoding=inner)
        undefined = length == UNDEFINED_LENGTH
        stop = end if undefined else value + length
        source = self.source
        holds_content = self.plan.content is not None and tag in CONTENT_SEQUENCES and not dummy
        if holds_content and tag == CONTENT_SEQUENCE and depth == 0:
            self._keeps_positions = has_references(source, value, stop, inner)
        unpack = inner.item.unpack_from
        body: list[Segment] = []
        at = value
        number = 0
        images = 0
        closed = not undefined
        while at < stop:
            if stop - at < 8:
                raise Unsafe(Reason.TRUNCATED, self._where(tag))
            group, element, size = unpack(source, at)
            at += 8
            if group != 0xFFFE:
                raise Unsafe(Reason.MALFORMED, self._where(tag))
            if element == 0xE0DD and undefined:
                closed = True
                break
            if element != 0xE000:
                raise Unsafe(Reason.MALFORMED, self._where(tag))
            number += 1
            charset, outer_is_image = self.charset, self._is_image
            self._is_image = False
            self._path.append((tag, number))
            item: list[Segment] = []
            if holds_content:
                item_end = stop if size == UNDEFINED_LENGTH else at + size
                child, drops = self._content_item(table, tag, at, item_end, inner)
                if drops:
                    at = self._dropped(child, at, size, stop, depth + 1)
                    self._path.pop()
                    self.charset = charset
                    continue
            if size == UNDEFINED_LENGTH:
                at = self._dataset(child, at, stop, depth + 1, item, delimited=True)
                content = b"".join(item)  # type: ignore[arg-type]  # spans exist at the top only
                content += inner.item_header(0xE00D, 0)
            else:
                if at + size > stop:
                    raise Unsafe(Reason.LENGTH_PAST_END, self._where(tag))
                at = self._dataset(child, at, at + size, depth + 1, item)
                content = b"".join(item)  # type: ignore[arg-type]
                size = len(content)
            if self._is_image:
                images += 1
            else:
                body += [inner.item_header(0xE000, size), content]
            self._path.pop()
            self.charset, self._is_image = charset, outer_is_image
        if not closed:
            raise Unsafe(Reason.TRUNCATED, self._where(tag))
        if holds_content and tag == CONTENT_SEQUENCE and number and not body:
            return at  # Type 1C: an item without children has none (PS3.3 C.17.3)
        if images and images == number:
            return at
        content = b"".join(body)  # type: ignore[arg-type]
        head = source[pos : value - 4]
        if undefined:
            out.append(head + outer.long.pack(UNDEFINED_LENGTH))
            out.append(content)
            out.append(inner.item_header(0xE0DD, 0))
        else:
            out.append(head + outer.long.pack(len(content)))
            out.append(content)
        return at

    def _content_item(
        self, table: Table, sequence: int, pos: int, end: int, encoding: Encoding
    ) -> tuple[Table, bool]:
        """Return the rules of one content item (PS3.15 E.3.4), and whether it goes."""
        assert self.plan.content is not None
        concept = concept_of(self.source, pos, end, encoding)
        fate = self.plan.content.fate(concept)
        if concept.info_type:
            original = value_of(self.source, pos, end, encoding)
            self.known.add(original, concept.info_type, self.charset)
        if concept.is_age and fate is Fate.KEEP:
            age = age_of(self.source, pos, end, encoding)
            fate = Fate.KEEP if age is not None and age <= values.OLDEST_YEARS else Fate.DUMMY
        goes = fate is Fate.DROP
        child = self.plan.rules.child(table, sequence, dummy=goes, encoding=encoding, fate=fate)
        return child, goes and not self._keeps_positions

    def _dropped(self, table: Table, pos: int, size: int, stop: int, depth: int) -> int:
        """Pass over an item that goes, remembering whom it names; return where it ends."""
        actions, residuals = self.actions, self.residuals
        self.actions, self.residuals = {}, []
        undefined = size == UNDEFINED_LENGTH
        after = self._dataset(
            table, pos, stop if undefined else pos + size, depth, [], delimited=undefined
        )
        self.actions, self.residuals = actions, residuals
        self._count(table.parent, _DROP)
        return after

    def _content_encoding(self, pos: int, encoding: Encoding) -> Encoding:
        """Return how a sequence's items are encoded: inside UN always Implicit VR Little Endian."""
        if encoding.explicit and self.source[pos + 4 : pos + 6] == b"UN":
            return IMPLICIT_LITTLE
        return encoding

    # ------------------------------------------------------------------ single values

    def _replace(
        self, kind: int, fallback: int, tag: int, word: int, encoding: Encoding, raw: bytes
    ) -> bytes | None:
        """Return the new value, None to remove the element, or `_UNCHANGED`."""
        vr, info_type = self.plan.nature(tag, word, encoding)
        new: bytes | None = getattr(self, _HANDLERS[kind])(fallback, tag, vr, raw)
        if info_type and kind not in (_KEEP, _CHECK) and new is not _UNCHANGED:
            self.known.add(raw, info_type, self.charset)
        return new

    def _kept(self, fallback: int, tag: int, vr: str, raw: bytes) -> bytes | None:
        """Decide on the second pass about something that the first would have kept without looking."""
        return self._strictly(_KEEP, fallback, tag, vr, raw)

    def _checked(self, fallback: int, tag: int, vr: str, raw: bytes) -> bytes | None:
        return self._strictly(_CHECK, fallback, tag, vr, raw)

    def _removed(self, _fallback: int, _tag: int, _vr: str, _raw: bytes) -> None:
        return None

    def _emptied(self, _fallback: int, _tag: int, _vr: str, _raw: bytes) -> bytes:
        return b""

    def _dummied(self, _fallback: int, _tag: int, vr: str, raw: bytes) -> bytes:
        return values.dummy(vr, raw)

    def _pseudonymised(self, _fallback: int, tag: int, _vr: str, raw: bytes) -> bytes:
        """Return the patient's pseudonym; in an item, that of the patient whose ID stands there."""
        person, replacements = self.person, self.plan.replacements
        if not self._path or not raw.strip(b" \x00"):
            return values.text(person.pseudonym)
        original = decode(raw, self.charset).strip(" \x00")
        if replacements.is_own_pseudonym(original):
            return _UNCHANGED
        if tag != PATIENT_ID or original == person.patient_id:
            return values.text(person.pseudonym)
        return values.text(replacements.patient(patient_identity(person.issuer, original, "")))

    def _shifted(self, fallback: int, _tag: int, vr: str, raw: bytes) -> bytes | None:
        moved = values.shift(vr, raw, self.person.shift_days)
        return self._fall_back(fallback, vr, raw) if moved is None else moved

    def _aged(self, _fallback: int, _tag: int, _vr: str, raw: bytes) -> bytes:
        return values.cap_age(raw) or b""

    def _document(self, _fallback: int, _tag: int, _vr: str, _raw: bytes) -> bytes:
        return values.blank_document(self.sop_class_uid)

    def _fall_back(self, fallback: int, vr: str, raw: bytes) -> bytes | None:
        if fallback == Action.DUMMY:
            return values.dummy(vr, raw)
        return b"" if fallback == Action.EMPTY else None

    def _unrecognised(self, fallback: int, tag: int, vr: str, raw: bytes) -> bytes | None:
        """Return what becomes of a value that is not recognised.

        What stands after a NUL was never part of it; of several required values, only some may go. The name
        of a creator whose elements may stay is kept, as the creator itself is.
        """
        if tag == private.CREATOR_REFERENCE and self._names_kept_block(raw):
            return _UNCHANGED
        visible, _nul, hidden = raw.partition(b"\x00")
        if hidden.strip(b" \x00") and visible.strip() and vr in _CUT_AT_NUL:
            text = decode(visible, self.charset).rstrip(" ")
            if self._may_stay(tag, vr, text):
                return values.even(visible, b" ")
        if tag == NUMERIC_VALUE and self._is_measured(raw):
            return _UNCHANGED
        if fallback == Action.DUMMY and tag in _WITHOUT_DUMMY:
            raise Unsafe(Reason.RESIDUAL_IDENTIFIER, self._where(tag))
        if b"\\" not in raw or vr not in _DUMMIED_BY_VALUE:
            return self._fall_back(fallback, vr, raw)
        is_required = fallback == Action.DUMMY
        if vr in ("DS", "IS") and not is_required:
            return self._fall_back(fallback, vr, raw)
        parts = decode(raw, self.charset).rstrip(" \x00").split("\\")
        stays = [self._may_stay(tag, vr, part) for part in parts]
        if all(stays):  # only together do they say something: a date in pieces
            return self._fall_back(fallback, vr, raw)
        # What goes leaves its place empty, so that the others keep theirs.
        instead = values.dummy(vr).decode("ascii").strip() if is_required else ""
        kept = [part if may else instead for part, may in zip(parts, stays, strict=True)]
        if not any(part.strip() for part in kept):
            return self._fall_back(fallback, vr, raw)
        return values.even(encode("\\".join(kept), self.charset), b" ")

    def _is_measured(self, raw: bytes) -> bool:
        """Whether a number stands beside its unit and is not the patient's: volumes have many digits."""
        text = raw.strip(b" \x00").decode("ascii", "replace")
        if self._parent() != MEASURED_VALUE:
            return False
        is_known = self.forbidden is not None and self.forbidden.occurs_in(raw, text, vr="DS")
        return is_number(text) and not is_known

    def _names_kept_block(self, raw: bytes) -> bool:
        text = decode(raw, self.charset).strip(" \x00")
        if self.forbidden is not None and self.forbidden.occurs_in(raw, text, vr="LO"):
            return False
        return text in self._block_creators

    def _may_stay(self, tag: int, vr: str, text: str) -> bool:
        if self.forbidden is not None and self.forbidden.occurs_in(b"", text, vr=vr):
            return False
        return recognised(tag, vr, text)

    def _uids(self, _fallback: int, _tag: int, _vr: str, raw: bytes) -> bytes:
        memo = self.plan.uids
        found = memo.get(raw)
        if found is None:
            texts = [part.decode("latin-1") for part in values.split(raw)]
            replace = self.plan.replacements.uid
            # What the standard itself names is nobody's: a well-known frame of reference, a coding scheme.
            found = values.uid(
                "\\".join(
                    text if not text or text in UID_dictionary else replace(text) for text in texts
                )
            )
            if len(memo) < _MEMO_ENTRIES and len(raw) <= _MAX_KNOWN_BYTES:
                memo[raw] = found
        return found

    def _registered(self, fallback: int, tag: int, vr: str, raw: bytes) -> bytes:
        is_own_class = raw.strip(b" \x00") == self.sop_class_uid.encode("latin-1", "replace")
        if (tag == 0x00080016 and is_own_class) or self.plan.is_registered(raw):
            return _UNCHANGED
        return self._uids(fallback, tag, vr, raw)

    def _token(self, _fallback: int, tag: int, _vr: str, raw: bytes) -> bytes:
        stripped = raw.strip(b" \x00")
        if not stripped:
            return b""
        original = decode(stripped, self.charset)
        token = self.plan.token(tag_name(tag), original)
        return _UNCHANGED if token == original else values.text(token)

    def _character_set(self, _fallback: int, _tag: int, _vr: str, raw: bytes) -> bytes | None:
        declared = raw.strip(b" \x00").decode("ascii", "replace")
        if not is_defined(declared):
            self.charset = ""
            return None
        self.charset = declared
        return _UNCHANGED

    def _clean(self, fallback: int, tag: int, vr: str, raw: bytes) -> bytes | None:
        cleaner = self.plan.text_cleaner
        if cleaner is None or vr not in _CLEANABLE:
            return self._fall_back(fallback, vr, raw)
        if not is_readable(raw, self.charset):
            return self._fall_back(fallback, vr, raw)
        text = decode(raw, self.charset).rstrip(" \x00")
        cleaned = cleaner.clean_value(
            vr, text, self.known_before, shift_days=self.person.shift_days
        ).text
        if self.forbidden is not None and self.forbidden.occurs_in(b"", cleaned, vr="LO"):
            self.residuals.append(self._where(tag))
            return self._fall_back(fallback, vr, raw)
        if cleaned == text:
            return _UNCHANGED
        if not cleaned.strip():
            return self._fall_back(fallback, vr, raw)
        return values.even(encode(values.fit(vr, cleaned), self.charset), b" ")

    def _judge(self, key: int, encoding: Encoding, element: bytes, raw: bytes) -> bool:
        """Return whether a value that no table names may stay; remember it where that is safe."""
        tag = key >> 16
        vr, _info_type = self.plan.nature(tag, key & 0xFFFF, encoding)
        verdict = may_stay(tag, vr, raw, self.charset)
        judged = self.plan.judged[encoding]
        # What other bytes mean depends on the character set.
        if (
            ((raw.isascii() and b"\x1b" not in raw) or vr in SAMPLES)
            and len(raw) <= _MAX_KNOWN_BYTES
            and len(judged) < _MEMO_ENTRIES
        ):
            judged[element] = verdict
        return verdict

    def _strictly(self, kind: int, fallback: int, tag: int, vr: str, raw: bytes) -> bytes | None:
        """Decide on the second pass about something that the first would have kept."""
        forbidden = self.forbidden
        if forbidden is None:
            return _UNCHANGED
        text = decode(raw, self.charset)
        if kind == _CHECK and not may_stay(tag, vr, raw, self.charset):
            return self._unrecognised(fallback, tag, vr, raw)
        if not forbidden.occurs_in(raw, text, vr=vr):
            return _UNCHANGED
        self.residuals.append(self._where(tag))
        if kind == _CHECK:
            return self._unrecognised(fallback, tag, vr, raw)
        is_required = fallback_action(tag, self._parent(), self.sop_class_uid) is Action.DUMMY
        return values.dummy(vr, raw) if is_required else b""

    # ------------------------------------------------------------------ private elements

    def _private(
        self,
        table: Table,
        kind: int,
        tag: int,
        pos: int,
        value: int,
        length: int,
        end: int,
        depth: int,
        out: list[Segment],
        creators: dict[int, _Creator],
    ) -> int:
        """Keep a private element whose creator's block is safe (PS3.15 E.3.10); return where it ends."""
        encoding = table.encoding
        undefined = length == UNDEFINED_LENGTH
        if kind == _PRIVATE_CREATOR:
            if undefined:
                raise Unsafe(Reason.MALFORMED, self._where(tag))
            after = value + length
            raw = self.source[value:after]
            block = (tag >> 16) << 8 | tag & 0xFF
            earlier = creators.get(block)
            if earlier is not None and not earlier.used:
                out[earlier.place] = b""
            name = decode(raw, self.charset).strip(" \x00")
            creators[block] = _Creator(name, len(out), False)
            out.append(self._as_encoded(pos, value, after, encoding))
            return after
        creator = creators.get((tag >> 16) << 8 | (tag >> 8) & 0xFF)
        raw = b"" if undefined else self.source[value : value + length]
        vr, action = self._private_action(creator, tag, pos, encoding, raw)
        starts_item = self.source[value : value + 4] == b"\xfe\xff\x00\xe0"
        is_sequence = vr == "SQ" or undefined or (vr == "UN" and starts_item)
        if is_sequence and action is not Action.KEEP:
            action = Action.DROP
        if creator is None or action is Action.DROP:
            self._count(tag, _DROP)
            if undefined:
                inner = self._content_encoding(pos, encoding)
                return skip_items(self.source, value, end, inner, depth + 1)
            return value + length
        creator.used = True
        if is_sequence:
            self._count(tag, _RECURSE)
            return self._sequence(table, tag, pos, value, length, end, depth, out, dummy=False)
        after = value + length
        forbidden = self.forbidden
        if (
            forbidden is not None
            and action is Action.KEEP
            and vr not in _BINARY
            and forbidden.occurs_in(raw, decode(raw, self.charset), vr=vr)
        ):
            self.residuals.append(self._where(tag))
            return after
        self._count(tag, action)
        new: bytes | None = getattr(self, _HANDLERS[action])(Action.DROP, tag, vr, raw)
        if new is _UNCHANGED or action is Action.KEEP:
            out.append(self._as_encoded(pos, value, after, encoding))
        elif new is not None:
            code = self.source[pos + 4 : pos + 6] if encoding.explicit else b"UN"
            out.append(encoding.element(tag, code, new))
        return after

    def _private_action(
        self, creator: _Creator | None, tag: int, pos: int, encoding: Encoding, raw: bytes
    ) -> tuple[str, Action]:
        """Return the VR that a private element is read as, and what becomes of it."""
        vr = self.source[pos + 4 : pos + 6].decode("latin-1") if encoding.explicit else ""
        if creator is None:
            return vr, Action.DROP
        action = private.action(self.plan.policy, self.blocks, creator.name, tag)
        listed = private.listed_vr(self.plan.policy, creator.name, tag)
        if not private.is_of_kind(vr, listed):
            return vr, Action.DROP
        if vr in ("", "UN"):
            vr = listed or private.read_as(raw)
        if action is Action.KEEP:
            action = private.kept(vr, self.plan.policy)
        if action is Action.REPLACE_UID and vr not in ("UI", "UN"):
            action = Action.DROP
        return vr, action

    def _as_encoded(self, pos: int, value: int, after: int, encoding: Encoding) -> bytes:
        """Return a private element as it stands, made even where its length is odd (PS3.5 7.1.1)."""
        if not (after - value) & 1:
            return self.source[pos:after]
        tag = encoding.short.unpack_from(self.source, pos)[0] << 16
        tag |= encoding.short.unpack_from(self.source, pos + 2)[0]
        code = self.source[pos + 4 : pos + 6] if encoding.explicit else b"UN"
        pad = b" " if code.decode("latin-1") in _CUT_AT_NUL | {"AE", "PN"} else b"\x00"
        return encoding.element(tag, code, self.source[value:after] + pad)

    def _count(self, tag: int, kind: int) -> None:
        count = tag << 8 | kind
        self.actions[count] = self.actions.get(count, 0) + 1

    def _finish_creators(self, creators: dict[int, _Creator], out: list[Segment]) -> None:
        for creator in creators.values():
            if not creator.used:
                out[creator.place] = b""

    # ------------------------------------------------------------------ output

    def _flush(self, run: int, pos: int, depth: int, out: list[Segment]) -> int:
        """Put out the run of kept bytes that ends at `pos`; return `pos`."""
        if pos > run:
            if depth == 0 and pos - run >= _SPAN_MIN:
                out.append(Span(run, pos))
            else:
                out.append(self.source[run:pos])
        return pos

    def _put_pixels(
        self, pos: int, value: int, after: int, encoding: Encoding, out: list[Segment]
    ) -> None:
        """Put out Pixel Data, cleaned or as it is; encapsulated when the source's was.

        Its segments are noted in `samples`: they are not text.
        """
        self.pixels_seen = True
        length = encoding.long.unpack_from(self.source, value - 4)[0]
        undefined = length == UNDEFINED_LENGTH
        pixels = self.pixels
        if pixels is None and self.scrub is not None:
            scrubbed = self.scrub(value, after, undefined)
            pixels = scrubbed.segments
            self.opaque_samples = scrubbed.opaque
        if pixels is None:
            pixels = [Span(value, after)]
        elif undefined:
            pixels = [*pixels, encoding.item_header(0xE0DD, 0)]
        size = sum(
            len(part) if isinstance(part, bytes) else part.stop - part.start for part in pixels
        )
        if size & 1:
            pixels = [*pixels, b"\x00"]
        written = UNDEFINED_LENGTH if undefined else size + (size & 1)
        long_form = value - pos == 12 or not encoding.explicit
        pack = encoding.long.pack if long_form else encoding.short.pack
        out.append(self.source[pos : value - (4 if long_form else 2)] + pack(written))
        self.samples = range(len(out), len(out) + len(pixels))
        out.extend(pixels)

    def _is_text(self, key: int, encoding: Encoding) -> bool:
        """Whether an element's value is read as text."""
        return self.plan.nature(key >> 16, key & 0xFFFF, encoding)[0] not in _BINARY

    def is_binary(self, tag: int, pos: int, encoding: Encoding) -> bool:
        """Whether the value of the element at `pos` holds binary numbers."""
        word = encoding.header.unpack_from(self.source, pos)[2] if encoding.explicit else 0
        return self.plan.nature(tag, word, encoding)[0] in _BINARY

    def _is_passed_over(self, kind: int, depth: int) -> bool:
        """Whether this is Pixel Data that goes: of a nested image, or a second one."""
        return kind == _PIXELS and (depth > 0 or self.pixels_seen)

    def _is_trailing(self, pos: int, end: int) -> bool:
        """Whether what begins at `pos` is not part of the data set any more."""
        if self.pixels_seen:
            return True
        for start in range(pos, end, 1 << 20):
            if self.source[start : min(end, start + (1 << 20))].strip(b"\x00"):
                return False
        return True

    def _parent(self) -> int:
        """Return the tag of the sequence that is being gone through, 0 at the top level."""
        return self._path[-1][0] if self._path else 0

    def _where(self, tag: int) -> str:
        parts = [f"{tag_name(sequence)}[{number}]" for sequence, number in self._path]
        return ".".join([*parts, tag_name(tag)] if tag else parts)


@dataclass(slots=True)
class _Creator:
    name: str
    place: int
    used: bool


_WITHOUT_DUMMY: Final = frozenset(
    {
        0x00181164, 0x00200032, 0x00200037, 0x00280008, 0x00280030, 0x00281052, 0x00281053, 0x3004000C,
        0x3004000E, NUMERIC_VALUE,
    }
)  # fmt: skip
"""Where and how large samples are, and what was measured: a dummy would be taken for the truth."""
_UNCHANGED: Final = b"\xff unchanged \xff"
"""Compared by identity: the value stays as it is."""
_CLEANABLE: Final = CONTENT_VRS
_DUMMIED_BY_VALUE: Final = frozenset({"CS", "LO", "SH", "DS", "IS"})
_CUT_AT_NUL: Final = frozenset({*_DUMMIED_BY_VALUE, "LT", "ST", "UC", "UT"})
_NUMBERS: Final = frozenset(
    {"AT", "FL", "FD", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "US", "UV"}
)
_BINARY: Final = frozenset(
    {"AT", "FL", "FD", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SQ", "SS", "SV", "UL", "US", "UV"}
)
