"""What was refused, as the output folder may tell it: by input number and reason, without a name of it.

The originals stay where they were. The report, which is kept with the inputs, says what has which number.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import orjson

from daemon.reasons import REASONS

if TYPE_CHECKING:
    from daemon.batch.output import OutputFolder

REFUSED: Final = "refused.jsonl"
_FLUSH_BYTES = 1 << 16


class Refusals:
    """The list being written; it gets its name by `finish`, and takes the place of an earlier run's.

    A run without refusals leaves no list.
    """

    def __init__(self, output: OutputFolder) -> None:
        self._output = output
        self._part = ""
        self._descriptor = -1
        self._buffer = bytearray()
        self.count = 0

    def add(self, number: int, reason: str, where: str) -> None:
        """Write one refusal. Raises OSError when the folder does not take it."""
        if not self._part:
            self._part = self._output.new_part()
            self._descriptor = self._output.new_file(self._part)
        advice = REASONS.get(reason)
        line = {
            "input": number,
            "reason": reason,
            "where": where,
            "means": advice.means if advice else "",
            "then": advice.then if advice else "",
        }
        self._buffer += orjson.dumps(line) + b"\n"
        self.count += 1
        if len(self._buffer) >= _FLUSH_BYTES:
            self._flush()

    def finish(self) -> None:
        """Give the list its name, durably, or remove an earlier one where nothing was refused."""
        if not self._part:
            self._output.remove(REFUSED)
            return
        self._flush()
        os.fsync(self._descriptor)
        self._output.put(self._part, REFUSED)
        self.close()

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _flush(self) -> None:
        view = memoryview(bytes(self._buffer))
        self._buffer.clear()
        while view:
            view = view[os.write(self._descriptor, view) :]
