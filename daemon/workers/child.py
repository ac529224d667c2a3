"""The worker process: takes jobs from the daemon's socket, one after the other, until it closes.

It is started as a fresh interpreter (no fork of the daemon's threads and memory), finds the socket
at its standard input, and learns everything else through it: what to run, the settings, the secret,
its own limits. The command line says only where our packages lie and what to load while it waits, the
environment nothing.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from daemon.observe.traces import name_of_type, trace
from daemon.workers.announcing import announcing
from daemon.workers.frames import Decoder, Frame, Kind, Message, encode
from daemon.workers.limits import Limits, allow_cpu, allow_more_cpu, anonymous_bytes, confine

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[[Message], Message]

_RECEIVE_BYTES = 256 * 1024
_JOBS_PER_MEMORY_CHECK = 16


def main(warm_up: str = "") -> None:
    """Run until the daemon closes its end.

    Parameters
    ----------
    warm_up
        ``module:function`` to call before anything is received, while the daemon is still busy.
    """
    gc.disable()  # until all is loaded: it would look through it again and again, and find nothing
    _outlive_signals()
    channel = Channel(_take_socket())
    try:
        if warm_up:
            named(warm_up)()
    except BaseException as error:  # noqa: BLE001 (reported, then the process ends)
        channel.send(Kind.RAISED, _raised(error))
        return
    first = channel.receive()
    if first is None:
        return
    limits = Limits(**first.message.header["limits"])
    try:
        confine(limits)
        handler = start(first.message)
    except MemoryError:
        channel.send(Kind.MEMORY, Message({}))
        return
    except BaseException as error:  # noqa: BLE001 (reported, then the process ends)
        channel.send(Kind.RAISED, _raised(error))
        return
    del first
    # What start-up built stays, and later collections need not look at it. Nor is it looked through now:
    # hardly anything of it is garbage.
    gc.freeze()
    gc.enable()
    channel.send(Kind.READY, Message({"cpu_s": _cpu_s()}))
    serve(channel, handler, limits)


def start(message: Message) -> Handler:
    """Call the start-up function that the message names and return the handler that it returns."""
    function = named(message.header["target"])
    handler: Handler = function(message.header["document"], message.fields[0])
    return handler


def named(target: str) -> Callable[..., Any]:
    """Return the function that ``module:function`` names."""
    module_name, _, function_name = target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module_name), function_name)
    return function


def serve(channel: Channel, handler: Handler, limits: Limits) -> None:
    """Answer each job in the order of arrival."""
    jobs = 0
    tired = False
    while (frame := channel.receive()) is not None:
        jobs += 1
        try:
            allow_cpu(frame.message.header["cpu_s"])
            announcing.set(partial(_announce, channel, limits))
            reply = handler(Message(frame.message.header["body"], frame.message.fields))
            tired = tired or _is_tired(jobs, limits)
            header = {"tired": tired, "cpu_s": _cpu_s(), "body": reply.header}
            channel.send(Kind.REPLY, Message(header, reply.fields))
        except MemoryError:
            channel.send(Kind.MEMORY, Message({}))
            return
        except OSError as error:
            if channel.is_broken:
                return
            channel.send(Kind.RAISED, _raised(error))
        except BaseException as error:  # noqa: BLE001 (the daemon decides what becomes of the job)
            channel.send(Kind.RAISED, _raised(error))


def _announce(channel: Channel, limits: Limits, pixels: int, size: int) -> None:
    allow_more_cpu(limits.look_timeout_s(pixels, size) * (os.cpu_count() or 1))
    channel.send(Kind.PIXELS, Message({"pixels": pixels, "size": size}))


class Channel:
    """The socket to the daemon, frame by frame, blocking."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._decoder = Decoder()
        self._frames: deque[Frame] = deque()
        self.is_broken = False

    def receive(self) -> Frame | None:
        """Return the next frame, or None when the daemon is gone."""
        while not self._frames:
            data = self._connection.recv(_RECEIVE_BYTES)
            if not data:
                return None
            self._frames.extend(self._decoder.feed(data))
        return self._frames.popleft()

    def send(self, kind: Kind, message: Message) -> None:
        """Send one frame."""
        data = encode(kind, message)
        try:
            self._connection.sendall(data)
        except OSError:
            self.is_broken = True
            raise


def _outlive_signals() -> None:
    # A service manager and a terminal signal the whole group; the daemon decides when workers end.
    # Handlers rather than SIG_IGN: programs that a job runs do not inherit them.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)


def _take_socket() -> socket.socket:
    """Move the socket away from descriptor 0, where programs that a job runs would find it."""
    connection = socket.socket(fileno=os.dup(0))
    connection.set_inheritable(False)
    connection.setblocking(True)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    return connection


def _is_tired(jobs: int, limits: Limits) -> bool:
    if jobs >= limits.recycle_after_jobs:
        return True
    return jobs % _JOBS_PER_MEMORY_CHECK == 0 and anonymous_bytes() > limits.recycle_above_bytes


def _cpu_s() -> float:
    """Return the CPU that this process and its children that have ended used so far."""
    return sum(os.times()[:4])


def _raised(error: BaseException) -> Message:
    header: dict[str, Any] = {
        "type": name_of_type(type(error)),
        "trace": trace(error),
        "code": getattr(error, "code", ""),
        "cpu_s": _cpu_s(),
    }
    return Message(header)


if __name__ == "__main__":
    sys.exit("started by daemon.workers.worker only")
