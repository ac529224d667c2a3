"""Rewrite the encoded stream of data elements.

What stays is copied as bytes, runs of it at once; what changes is encoded anew; Pixel Data is never looked
at. Every sequence at every depth goes through the same rules, also in private elements that are kept and
in elements encoded as UN (PS3.5 6.2.2).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from deid.encoding.character_sets import decode
from deid.encoding.header import skip_items
from deid.encoding.segments import Segment, Span
from deid.encoding.transfer_syntaxes import (
    IMPLICIT_LITTLE,
    MAX_DEPTH,
    MOST_SHORT,
    UNDEFINED_LENGTH,
    Encoding,
)
from deid.encoding.value_representations import BINARY, BLOBS, NUMBERS
from deid.errors import Reason, Unsafe
from deid.identity import values
from deid.tags import csa, midnight, private_blocks
from deid.tags.actions import FALLBACK_SHIFT, KIND_MASK, KNOWN, LONG_FORM, Action
from deid.tags.content import (
    CONTENT_SEQUENCE,
    CONTENT_SEQUENCES,
    Fate,
    age_of,
    concept_of,
    has_references,
    value_of,
)
from deid.tags.cursor import Cursor
from deid.tags.happenings import HAPPENINGS
from deid.tags.numbers import SAMPLES
from deid.tags.passage import Given, Known, Original, Passage
from deid.tags.recognition import may_stay
from deid.tags.repeated import MOST_BYTES, Made
from deid.tags.replacements import UNCHANGED
from deid.tags.samples import Samples
from deid.tags.table import ACTION_MASK, KEY_SHIFT, TAG_SHIFT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.identity.residual import Forbidden
    from deid.tags.repeated import Key
    from deid.tags.table import Table

_SPAN_MIN: Final = 1 << 16
_NEVER: Final = 1 << 64
_MAX_KNOWN_BYTES: Final = 1024

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
_DUMMY: Final = int(Action.DUMMY)
_UNRECOGNISED: Final = int(Action.UNRECOGNISED)
_GOING: Final = frozenset({_DROP, _EMPTY})
_SEQUENCES: Final = frozenset({_RECURSE, _RECURSE_DUMMY})
_PRIVATE_KINDS: Final = frozenset({_PRIVATE_CREATOR, _PRIVATE})
_STAYING: Final = frozenset({_KEEP, _CHECK, _PIXELS, _RECURSE})


class Walk:
    """Rewrites one data set, once.

    Parameters
    ----------
    given
        What every pass over it is given.
    forbidden
        Given on the second pass only: everything textual that would be kept is searched for it.

    Attributes
    ----------
    passage
        What the pass learnt.
    samples
        Where Pixel Data went out.
    """

    def __init__(self, given: Given, forbidden: Forbidden | None = None) -> None:
        self.given = given
        self.passage = Passage(given, forbidden, given.charset)
        self.samples = Samples(given.source, given.pixels, given.scrub)
        self._source = given.source
        self._plan = given.plan
        self._original = Original(self.passage)
        self._strict = forbidden is not None
        self._keeps_positions = False
        self._is_image = False
        self._repeated: dict[Key, Made] | None = None

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
        table = self._plan.rules.root(self.given.sop_class_uid, encoding)
        given = self.given
        if not self._strict and not given.blocks:  # of which an instance says itself what stays
            self._repeated = self._plan.repeated(given.person, given.sop_class_uid, table)
        end, shift = len(self._source), self.given.person.shift
        self.passage.carries = midnight.carries(self._source, pos, end, encoding, shift)
        try:
            self._dataset(table, pos, end, 0, out, inserts)
        except struct.error as error:
            raise Unsafe(Reason.TRUNCATED, self.passage.where()) from error
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
        source = self._source
        encoding = table.encoding
        explicit = encoding.explicit
        unpack = encoding.head.unpack_from
        long = encoding.long.unpack_from
        short = encoding.short.pack
        entries = table.known
        decide = self._plan.rules.decide
        memory, happening = self._plan.memory(encoding), HAPPENINGS.get
        stays, natures, empties = memory.stays, memory.natures, memory.empties
        passage, original = self.passage, self._original
        actions, known, strict = passage.actions, passage.known, self._strict
        at: Cursor | None = None  # few levels need one
        insert_at = 0
        insert_entry = inserts[0][0] << TAG_SHIFT if inserts else _NEVER
        run = pos
        while pos < end:
            if end - pos < 8:
                if depth == 0 and self._is_trailing(pos, end):
                    break
                raise Unsafe(Reason.TRUNCATED, passage.where())
            head, length = unpack(source, pos)
            value = pos + 8
            try:
                entry = entries[head]
            except KeyError:
                entry = decide(table, head)
            action = entry & ACTION_MASK
            after = value + length
            if entry < insert_entry and not length & 1 and after <= end:
                # Nearly all: with a short header, and nothing to be put before them.
                if not strict and (
                    not action or (action & _SHORT_KIND == _CHECK and source[pos:after] in stays)
                ):
                    pos = after
                    continue
                if action & ~KNOWN == _DROP:
                    if pos > run:
                        self._flush(run, pos, depth, out)
                    tag = entry >> TAG_SHIFT
                    if action & KNOWN and length:
                        key = entry >> KEY_SHIFT
                        nature = natures.get(key) or self._plan.nature(tag, key & 0xFFFF, encoding)
                        known.add(source[value:after], nature[1], passage.charset)
                    count = tag << 8 | _DROP
                    actions[count] = actions.get(count, 0) + 1
                    pos = run = after
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
                    raise Unsafe(Reason.MALFORMED, passage.where(key >> 16))
                length = long(source, pos + 8)[0]
                value = pos + 12
            after = value + length
            kind = action & KIND_MASK
            if length & 1 and kind != _ITEM_END:
                # Odd, and so undefined or wrong (PS3.5 7.1.1).
                at = at or Cursor(table, encoding, end, depth, out)
                at.tag, at.word = key >> 16, key & 0xFFFF
                at.pos, at.value, at.length = pos, value, length
                if length == UNDEFINED_LENGTH:
                    after = self._end_of_undefined(at, kind)
                elif after <= end and kind in _STAYING and not self._is_passed_over(kind, depth):
                    run = self._flush(run, pos, depth, out)
                    self._put_even(at, kind, action)
                    pos = run = after
                    continue
            if after > end:
                if depth == 0 and self._is_trailing(pos, end):
                    break
                raise Unsafe(Reason.LENGTH_PAST_END, passage.where(key >> 16))
            if (
                kind == _KEEP
                and after >= 0
                and (not strict or self._plan.is_binary(key >> 16, key & 0xFFFF, encoding))
            ):
                pos = after
                continue
            if kind == _CHECK and after >= 0 and not strict:
                if not length:
                    pos = after
                    continue
                raw = source[value:after]
                element = source[pos:after]
                if element in stays or (
                    element not in memory.goes and self._judge(key, encoding, element, raw)
                ):
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
            happens = happening(kind)
            if kind in _GOING:
                if action & KNOWN and length:
                    _vr, info_type = natures.get(key) or self._plan.nature(tag, word, encoding)
                    known.add(source[value:after], info_type, passage.charset)
                if kind == _EMPTY:
                    out.append(empties.get(key) or self._plan.empty(tag, word, encoding))
            elif happens is not None and after >= 0:
                vr, info_type = natures.get(key) or self._plan.nature(tag, word, encoding)
                raw = source[value:after]
                original.tag, original.vr, original.raw = tag, vr, raw
                original.fallback = action >> FALLBACK_SHIFT
                replacement = happens(original)
                if replacement is UNCHANGED:
                    pos = after
                    continue
                if info_type and kind not in (_KEEP, _CHECK):
                    known.add(raw, info_type, passage.charset)
                if replacement is not None:
                    if explicit and value - pos == 8 and len(replacement) <= MOST_SHORT:
                        out.append(source[pos : value - 2] + short(len(replacement)) + replacement)
                    else:
                        out.append(encoding.element(tag, encoding.vr_bytes(word), replacement))
            elif kind == _PIXELS:
                if depth == 0 and not self.samples.seen:
                    self.samples.put(pos, value, after, encoding, out)
                    pos = run = after
                    continue
                count = tag << 8 | _DROP
                self._is_image = True
            elif kind == _ITEM_END:
                if not delimited:
                    raise Unsafe(Reason.MALFORMED, passage.where(tag))
                if at is not None:
                    private_blocks.finish(at.creators, out)
                return value
            elif kind == _REFUSE:
                if depth == 0 and self._is_trailing(pos, end):
                    run = end
                    break
                raise Unsafe(Reason.MALFORMED, passage.where(tag))
            elif kind in _PRIVATE_KINDS:
                at = at or Cursor(table, encoding, end, depth, out)
                at.tag, at.word, at.pos, at.value, at.length = tag, word, pos, value, length
                pos = run = self._private(at, kind)
                continue
            elif kind in _SEQUENCES or after < 0:
                actions[count] = actions.get(count, 0) + 1
                at = at or Cursor(table, encoding, end, depth, out)
                at.tag, at.word, at.pos, at.value, at.length = tag, word, pos, value, length
                dummy = kind == _RECURSE_DUMMY
                if depth == 0 and 0 < length <= MOST_BYTES and self._repeated is not None:
                    self._put_sequence(at, self._repeated, dummy=dummy)
                    pos = run = after
                else:
                    pos = run = self._sequence(at, dummy=dummy)
                continue
            actions[count] = actions.get(count, 0) + 1
            pos = run = after
        else:
            if delimited:
                raise Unsafe(Reason.TRUNCATED, passage.where())
            if pos != end:
                raise Unsafe(Reason.LENGTH_PAST_END, passage.where())
        self._flush(run, pos, depth, out)
        if at is not None:
            private_blocks.finish(at.creators, out)
        out.extend(element for _tag, element in inserts[insert_at:])
        return pos

    def _end_of_undefined(self, at: Cursor, kind: int) -> int:
        """Return where a value of undefined length ends, or -1 when it has to be gone through."""
        if kind in (_RECURSE, _RECURSE_DUMMY, _PRIVATE, _KEEP, _CHECK):
            return -1
        if kind == _REFUSE:
            return at.value
        if kind == _PIXELS and at.depth == 0:
            return skip_items(self._source, at.value, at.end, at.encoding, 0)
        inner = self._content_encoding(at)
        return skip_items(self._source, at.value, at.end, inner, at.depth + 1)

    def _put_even(self, at: Cursor, kind: int, action: int) -> None:
        """Put out an element that stays and whose value has an odd length, made even (PS3.5 7.1.1).

        Text is padded; a number cut short is not one.
        """
        encoding, after = at.encoding, at.value + at.length
        vr, _info_type = self._plan.nature(at.tag, at.word, encoding)
        if kind == _PIXELS:
            self.samples.put(at.pos, at.value, after, encoding, at.out)
            return
        if vr in NUMBERS or kind == _RECURSE:
            raise Unsafe(Reason.MALFORMED, self.passage.where(at.tag))
        length_size = 4 if action & LONG_FORM or not encoding.explicit else 2
        pack = encoding.long.pack if length_size == 4 else encoding.short.pack
        head = self._source[at.pos : at.value - length_size] + pack(at.length + 1)
        raw = self._source[at.value : after]
        is_binary = vr in BINARY
        padded = raw + (b"\x00" if is_binary or vr == "UI" else b" ")
        if kind == _CHECK or (kind == _KEEP and self._strict and not is_binary):
            kept = self._happen(_CHECK, at.tag, vr, padded, action >> FALLBACK_SHIFT)
            if kept is None:
                return
            if kept is not UNCHANGED:
                at.out.append(encoding.element(at.tag, encoding.vr_bytes(at.word), kept))
                return
            if not self.passage.may_stay(at.tag, vr, decode(raw, self.passage.charset)):
                return
        at.out.append(head + padded)

    def _happen(self, kind: int, tag: int, vr: str, raw: bytes, fallback: int) -> bytes | None:
        """Return the new value, None to remove the element, or `UNCHANGED`."""
        original = self._original
        original.tag, original.vr, original.raw, original.fallback = tag, vr, raw, fallback
        return HAPPENINGS[kind](original)

    def _judge(self, key: int, encoding: Encoding, element: bytes, raw: bytes) -> bool:
        """Return whether a value that no table names may stay; remember it where that is safe."""
        tag = key >> 16
        vr, _info_type = self._plan.nature(tag, key & 0xFFFF, encoding)
        charset = self.passage.charset
        verdict = may_stay(tag, vr, raw, charset) and not self._plan.tells_time(
            vr, decode(raw, charset)
        )
        # What other bytes mean depends on the character set.
        if ((raw.isascii() and b"\x1b" not in raw) or vr in SAMPLES) and len(
            raw
        ) <= _MAX_KNOWN_BYTES:
            self._plan.remember_verdict(encoding, element, verdict)
        return verdict

    # ------------------------------------------------------------------ sequences

    def _put_sequence(self, at: Cursor, repeated: dict[Key, Made], *, dummy: bool) -> None:
        """Put out what becomes of a sequence of the top level, as it did in an earlier instance."""
        passage = self.passage
        key = (self._source[at.pos : at.value + at.length], passage.charset)
        made = repeated.get(key)
        if made is None:
            known, actions, put = passage.known, passage.actions, len(at.out)
            passage.known, passage.actions = Known(), {}
            self._sequence(at, dummy=dummy)
            made = Made(at.out[put:], passage.known.found, passage.known.uids, passage.actions)
            passage.known, passage.actions = known, actions
            if not passage.labels:  # which are told apart in the whole instance
                repeated[key] = made
        else:
            at.out += made.segments
        passage.learn(made)

    def _sequence(self, at: Cursor, *, dummy: bool) -> int:
        """Rewrite a sequence; return the position after it. Defined lengths stay defined.

        An item that holds an image, such as an icon, goes as a whole, and so does a sequence of nothing else.
        """
        tag, depth, undefined = at.tag, at.depth, at.is_undefined
        passage = self.passage
        if depth + 1 > MAX_DEPTH:
            raise Unsafe(Reason.NESTING_TOO_DEEP, passage.where(tag))
        inner = self._content_encoding(at)
        dummy = dummy or at.table.dummy
        child = self._plan.rules.child(at.table, tag, dummy=dummy, encoding=inner)
        stop = at.end if undefined else at.value + at.length
        source = self._source
        holds_content = self._plan.content is not None and tag in CONTENT_SEQUENCES and not dummy
        if holds_content and tag == CONTENT_SEQUENCE and depth == 0:
            self._keeps_positions = has_references(source, at.value, stop, inner)
        unpack, shift = inner.item.unpack_from, self.given.person.shift
        body: list[bytes] = []
        pos = at.value
        number = 0
        images = 0
        closed = not undefined
        while pos < stop:
            if stop - pos < 8:
                raise Unsafe(Reason.TRUNCATED, passage.where(tag))
            group, element, size = unpack(source, pos)
            pos += 8
            if group != 0xFFFE:
                raise Unsafe(Reason.MALFORMED, passage.where(tag))
            if element == 0xE0DD and undefined:
                closed = True
                break
            if element != 0xE000:
                raise Unsafe(Reason.MALFORMED, passage.where(tag))
            number += 1
            charset, outer_is_image, carries = passage.charset, self._is_image, passage.carries
            self._is_image = False
            passage.path.append((tag, number))
            item: list[Segment] = []
            if shift.seconds:
                item_end = stop if size == UNDEFINED_LENGTH else min(stop, pos + size)
                passage.carries = midnight.carries(source, pos, item_end, inner, shift)
            if holds_content:
                item_end = stop if size == UNDEFINED_LENGTH else pos + size
                child, drops = self._content_item(at.table, tag, pos, item_end, inner)
                if drops:
                    pos = self._dropped(child, pos, size, stop, depth + 1)
                    passage.path.pop()
                    passage.charset, passage.carries = charset, carries
                    continue
            if size == UNDEFINED_LENGTH:
                pos = self._dataset(child, pos, stop, depth + 1, item, delimited=True)
                content = b"".join(item)  # type: ignore[arg-type]  # spans exist at the top only
                content += inner.item_header(0xE00D, 0)
            else:
                if pos + size > stop:
                    raise Unsafe(Reason.LENGTH_PAST_END, passage.where(tag))
                pos = self._dataset(child, pos, pos + size, depth + 1, item)
                content = b"".join(item)  # type: ignore[arg-type]
                size = len(content)
            if self._is_image:
                images += 1
            else:
                body += [inner.item_header(0xE000, size), content]
            passage.path.pop()
            passage.charset, self._is_image = charset, outer_is_image
            passage.carries = carries
        if not closed:
            raise Unsafe(Reason.TRUNCATED, passage.where(tag))
        if holds_content and tag == CONTENT_SEQUENCE and number and not body:
            return pos  # Type 1C: an item without children has none (PS3.3 C.17.3)
        if images and images == number:
            return pos
        content = b"".join(body)
        size = UNDEFINED_LENGTH if undefined else len(content)
        at.out += [source[at.pos : at.value - 4] + at.encoding.long.pack(size), content]
        if undefined:
            at.out.append(inner.item_header(0xE0DD, 0))
        return pos

    def _content_item(
        self, table: Table, sequence: int, pos: int, end: int, encoding: Encoding
    ) -> tuple[Table, bool]:
        """Return the rules of one content item (PS3.15 E.3.4), and whether it goes."""
        assert self._plan.content is not None
        concept = concept_of(self._source, pos, end, encoding)
        fate = self._plan.content.fate(concept)
        if concept.info_type:
            original = value_of(self._source, pos, end, encoding)
            self.passage.known.add(original, concept.info_type, self.passage.charset)
        if concept.is_age and fate is Fate.KEEP:
            age = age_of(self._source, pos, end, encoding)
            fate = Fate.KEEP if age is not None and age <= values.OLDEST_YEARS else Fate.DUMMY
        goes = fate is Fate.DROP
        child = self._plan.rules.child(table, sequence, dummy=goes, encoding=encoding, fate=fate)
        return child, goes and not self._keeps_positions

    def _dropped(self, table: Table, pos: int, size: int, stop: int, depth: int) -> int:
        """Pass over an item that goes, remembering whom it names; return where it ends."""
        passage = self.passage
        actions, residuals = passage.actions, passage.residuals
        passage.actions, passage.residuals = {}, []
        undefined = size == UNDEFINED_LENGTH
        after = self._dataset(
            table, pos, stop if undefined else pos + size, depth, [], delimited=undefined
        )
        passage.actions, passage.residuals = actions, residuals
        passage.count(table.parent, _DROP)
        return after

    def _content_encoding(self, at: Cursor) -> Encoding:
        """Return how a sequence's items are encoded: inside UN always Implicit VR Little Endian."""
        encoding = at.encoding
        if encoding.explicit and self._source[at.pos + 4 : at.pos + 6] == b"UN":
            return IMPLICIT_LITTLE
        return encoding

    # ------------------------------------------------------------------ private elements

    def _private(self, at: Cursor, kind: int) -> int:
        """Keep a private element whose creator's block is safe (PS3.15 E.3.10); return where it ends."""
        source, encoding, passage, tag = self._source, at.encoding, self.passage, at.tag
        after = at.value + at.length
        raw = b"" if at.is_undefined else source[at.value : after]
        if kind == _PRIVATE_CREATOR:
            if at.is_undefined:
                raise Unsafe(Reason.MALFORMED, passage.where(tag))
            element = private_blocks.as_encoded(source, at.pos, at.value, after, tag, encoding)
            private_blocks.meet(at.creators, tag, raw, passage, element, at.out)
            return after
        creator = private_blocks.creator_of(at.creators, tag)
        code = source[at.pos + 4 : at.pos + 6] if encoding.explicit else b""
        vr, action = code.decode("latin-1"), Action.DROP
        if creator is not None:
            vr, action = private_blocks.decide(creator, tag, vr, raw, self.given)
        header: bytes | None = None
        if creator is not None and action is Action.KEEP and csa.is_header(creator.name, tag):
            header = csa.cleaned(raw)
            raw, action = header or b"", Action.KEEP if header else Action.DROP
        starts_item = source[at.value : at.value + 4] == b"\xfe\xff\x00\xe0"
        is_sequence = vr == "SQ" or at.is_undefined or (vr == "UN" and starts_item)
        if is_sequence and action is not Action.KEEP:
            action = Action.DROP
        if creator is None or action is Action.DROP:
            passage.count(tag, _DROP)
            if at.is_undefined:
                inner = self._content_encoding(at)
                return skip_items(source, at.value, at.end, inner, at.depth + 1)
            return after
        creator.used = True
        if is_sequence:
            passage.count(tag, _RECURSE)
            return self._sequence(at, dummy=False)
        if passage.forbidden is not None and action is Action.KEEP:
            if vr in BLOBS:
                blanked = passage.forbidden.blanked(raw)
                if blanked != raw:
                    passage.residuals.append(passage.where(tag))
                    passage.count(tag, _DUMMY)
                    at.out.append(encoding.element(tag, code or b"UN", values.even(blanked)))
                    return after
            elif passage.names_anybody(raw, decode(raw, passage.charset), vr):
                passage.residuals.append(passage.where(tag))
                return after
        passage.count(tag, action)
        new = self._happen(action, tag, vr, raw, _DROP)
        if header is not None:
            at.out.append(encoding.element(tag, code or b"UN", values.even(header, b"\x00")))
        elif new is UNCHANGED or action is Action.KEEP:
            at.out.append(private_blocks.as_encoded(source, at.pos, at.value, after, tag, encoding))
        elif new is not None:
            at.out.append(encoding.element(tag, code or b"UN", new))
        return after

    # ------------------------------------------------------------------ output

    def _flush(self, run: int, pos: int, depth: int, out: list[Segment]) -> int:
        """Put out the run of kept bytes that ends at `pos`; return `pos`."""
        if pos > run:
            if depth == 0 and pos - run >= _SPAN_MIN:
                out.append(Span(run, pos))
            else:
                out.append(self._source[run:pos])
        return pos

    def _is_passed_over(self, kind: int, depth: int) -> bool:
        """Whether this is Pixel Data that goes: of a nested image, or a second one."""
        return kind == _PIXELS and (depth > 0 or self.samples.seen)

    def _is_trailing(self, pos: int, end: int) -> bool:
        """Whether what begins at `pos` is not part of the data set any more."""
        if self.samples.seen:
            return True
        for start in range(pos, end, 1 << 20):
            if self._source[start : min(end, start + (1 << 20))].strip(b"\x00"):
                return False
        return True
