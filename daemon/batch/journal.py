"""What an output folder remembers of the runs that fill it, so that one can be continued and none are mixed.

``DIR/.dicomveil.json`` says what made it: digests of key, configuration, program and names. It stays.
``DIR/.dicomveil-run.jsonl`` has a line for each instance that has its name, until the run has come to its end.
Both may go along when the folder is handed on, so they hold nothing of the inputs: places and dates of files
are keyed digests, which nobody without the key can try names on.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from daemon.batch.errors import BatchRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from daemon.batch.inputs import Input
    from daemon.batch.output import OutputFolder

MARK: Final = ".dicomveil.json"
JOURNAL: Final = ".dicomveil-run.jsonl"
_DIGEST_BYTES = 16
_WORDS: Final = {
    "key": "key, or under another deidentifier's name",
    "configuration": "configuration",
    "program": "version of dicomveil",
    "names": "--layout, --prefix or --rename-folders",
}


@dataclass(frozen=True, slots=True)
class Done:
    """An instance that was written.

    Attributes
    ----------
    stamp
        Keyed digest of its source's size and time of change, and of what its study told of people.
    output
        Its name, relative to the output folder.
    size, modified_ns
        Of the file there.
    """

    stamp: str
    output: str
    size: int
    modified_ns: int
    method: tuple[str, ...]

    @property
    def way(self) -> tuple[str, ...]:
        """Its folders and its name."""
        return tuple(self.output.split("/"))


class Journal:
    """The journal of one output folder, being continued.

    Parameters
    ----------
    made_by
        What decides about the bytes, by the keys of `_WORDS`; digests are remembered.

    Raises
    ------
    BatchRefused
        When the folder was filled by something else, or holds instances that no run remembers.
    OSError
        When it cannot be read or written.
    """

    def __init__(self, output: OutputFolder, key: bytes, made_by: Mapping[str, bytes]) -> None:
        self.output = output
        self._key = hmac.digest(key, b"batch-journal\x00", "sha256")
        self._head = {name: self._digest(b"made-by", value) for name, value in made_by.items()}
        self._earlier: dict[str, Done] = {}
        self._descriptor = -1
        self._buffer = bytearray()
        mark = output.read(MARK)
        if mark is not None:
            self._check(mark)
        elif output.holds_instances():
            raise BatchRefused(
                f"{output.path} holds DICOM files that no run of dicomveil remembers; name an empty folder, so"
                " that what is clean stays apart"
            )
        else:
            self._write_whole(MARK, orjson.dumps({"made_by": self._head}) + b"\n")
        found = output.read(JOURNAL)
        if found is None:
            self._descriptor = output.new_file(JOURNAL)
            return
        self._read(found)
        self._descriptor = output.append_to(JOURNAL)
        if found and not found.endswith(b"\n"):
            self._buffer += b"\n"  # a kill cut the last line off

    def find(self, source: Input, known: Iterable[tuple[str, str]]) -> Done | None:
        """Return what was written for an input that is still the same, if the file is still there as it was."""
        done = self._earlier.get(self._place(source))
        if done is None or done.stamp != self._stamp(source, known):
            return None
        status = self.output.status(done.way)
        is_same = (
            status is not None
            and stat.S_ISREG(status.st_mode)
            and (status.st_size, status.st_mtime_ns) == (done.size, done.modified_ns)
        )
        return done if is_same else None

    def add(
        self,
        source: Input,
        known: Iterable[tuple[str, str]],
        way: Sequence[str],
        method: Iterable[str],
    ) -> None:
        """Remember an instance that has its name now."""
        status = self.output.status(way)
        if status is None:
            return
        done = Done(
            self._stamp(source, known),
            "/".join(way),
            status.st_size,
            status.st_mtime_ns,
            tuple(method),
        )
        self._buffer += _line(self._place(source), done)

    def flush(self) -> None:
        """Write what was added; a kill loses nothing of that. Raises OSError."""
        view = memoryview(bytes(self._buffer))
        self._buffer.clear()
        while view:
            view = view[os.write(self._descriptor, view) :]

    def finish(self) -> None:
        """Forget the instances: the run has come to its end."""
        self.close()
        self.output.remove(JOURNAL)

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write_whole(self, name: str, content: bytes) -> None:
        part = self.output.new_part()
        descriptor = self.output.new_file(part)
        try:
            os.write(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.output.put(part, name)

    def _check(self, mark: bytes) -> None:
        """Refuse a folder that something else has filled."""
        head = next(_objects(mark), {}).get("made_by")
        if not isinstance(head, dict):
            raise BatchRefused(
                f"{self.output.path}/{MARK} cannot be read; name another folder, or remove this one"
            )
        changed = [words for name, words in _WORDS.items() if head.get(name) != self._head[name]]
        if changed:
            raise BatchRefused(
                f"{self.output.path} was filled with another {' and another '.join(changed)}; results of"
                " both are not mixed: name another folder, or remove this one"
            )

    def _read(self, content: bytes) -> None:
        for line in _objects(content):
            with contextlib.suppress(KeyError, TypeError, ValueError):
                self._earlier[line["input"]] = Done(
                    line["stamp"],
                    line["output"],
                    int(line["size"]),
                    int(line["modified_ns"]),
                    tuple(map(str, line["method"])),
                )

    def _place(self, source: Input) -> str:
        member = "" if source.member is None else f"{source.member}\x00{source.member_name}"
        place = f"{source.path}\x00{member}".encode("utf-8", "surrogateescape")
        return self._digest(b"input", place)

    def _stamp(self, source: Input, known: Iterable[tuple[str, str]]) -> str:
        told = orjson.dumps([*source.stamp, *map(list, known)])
        return self._digest(b"stamp", told)

    def _digest(self, label: bytes, value: bytes) -> str:
        return hmac.digest(self._key, label + b"\x00" + value, "sha256")[:_DIGEST_BYTES].hex()


def _line(place: str, done: Done) -> bytes:
    line = {
        "input": place,
        "stamp": done.stamp,
        "output": done.output,
        "size": done.size,
        "modified_ns": done.modified_ns,
        "method": done.method,
    }
    return orjson.dumps(line) + b"\n"


def _objects(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.split(b"\n"):
        with contextlib.suppress(orjson.JSONDecodeError):
            value = orjson.loads(line)
            if isinstance(value, dict):
                yield value
