"""A C-STORE sender of few lines over a plain socket: it knows exactly what was acknowledged."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Self

from tests.malformed import CT_STORAGE, EXPLICIT, associate_request, command, p_data, sub_item

if TYPE_CHECKING:
    from types import TracebackType

_FRAGMENT_BYTES = 16_000
_STATUS_TAG = b"\x00\x00\x00\x09\x02\x00\x00\x00"
_ASSOCIATE_AC = 0x02
_RELEASE_RQ = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"


class Hangup(Exception):
    """The peer closed the connection, aborted, or rejected the association."""


class PlainScu:
    """One association for CT storage in explicit little endian (PS3.8 9.3, PS3.7 9.3.1)."""

    def __init__(self, port: int, *, timeout_s: float = 20) -> None:
        try:
            self._peer = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        except OSError as error:
            raise Hangup from error
        try:
            answer = self._associate()
        except (OSError, Hangup) as error:
            self._peer.close()
            raise Hangup from error
        if answer[0] != _ASSOCIATE_AC:
            self._peer.close()
            raise Hangup

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def store(self, dataset: bytes, sop_instance_uid: bytes) -> int:
        """Send one dataset and return the response's status.

        Raises
        ------
        Hangup
            When the peer is gone before it answered.
        """
        chunks = [
            dataset[at : at + _FRAGMENT_BYTES] for at in range(0, len(dataset), _FRAGMENT_BYTES)
        ]
        chunks = chunks or [b""]
        try:
            self._peer.sendall(p_data((1, 0x03, command(instance=sop_instance_uid))))
            for chunk in chunks[:-1]:
                self._peer.sendall(p_data((1, 0x00, chunk)))
            self._peer.sendall(p_data((1, 0x02, chunks[-1])))
            answer = self._receive()
        except OSError as error:
            raise Hangup from error
        at = answer.find(_STATUS_TAG)
        if at < 0:
            raise Hangup
        return int(struct.unpack_from("<H", answer, at + len(_STATUS_TAG))[0])

    def close(self) -> None:
        """Ask for release, and close without waiting for it."""
        try:
            self._peer.sendall(_RELEASE_RQ)
        except OSError:
            pass
        finally:
            self._peer.close()

    def _associate(self) -> bytes:
        body = b"\x01\0\0\0" + sub_item(0x30, CT_STORAGE) + sub_item(0x40, EXPLICIT.encode())
        self._peer.sendall(associate_request(contexts=sub_item(0x20, body)))
        return self._receive()

    def _receive(self) -> bytes:
        found = b""
        wanted = 6
        while len(found) < wanted:
            part = self._peer.recv(65536)
            if not part:
                raise Hangup
            found += part
            if len(found) >= 6:
                wanted = 6 + int.from_bytes(found[2:6], "big")
        return found


def dataset_of(content: bytes) -> bytes:
    """Return the dataset of a file, or all of it when its file meta information makes no sense."""
    if len(content) < 144 or content[128:136] != b"DICM\x02\x00\x00\x00":
        return content
    (length,) = struct.unpack_from("<I", content, 140)
    return content[144 + length :] if length < len(content) else content
