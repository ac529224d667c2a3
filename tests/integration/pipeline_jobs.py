"""Jobs that worker processes run in the tests of the pool: the well-behaved and the others."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.workers.announcing import announce
from daemon.workers.frames import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VALUE = "DOE^JANE^19610203"
"""What no message, trace or log may repeat."""


def start(document: Mapping[str, Any], secret: bytes) -> Callable[[Message], Message]:
    """Return the handler; it looks up what to do by the job's ``do``."""
    kept: list[bytearray] = []

    def handle(job: Message) -> Message:
        header = job.header
        if "mark" in header:
            with Path(header["mark"]).open("a", encoding="ascii") as marks:
                marks.write(f"{header['n']}\n")
        return DEEDS[header["do"]](job, document, secret, kept)

    return handle


WARM: list[int] = []


def warm_up() -> None:
    WARM.append(os.getpid())


def start_raising(document: Mapping[str, Any], secret: bytes) -> Callable[[Message], Message]:
    raise ValueError(VALUE)


def start_hanging(document: Mapping[str, Any], secret: bytes) -> Callable[[Message], Message]:
    time.sleep(3600)
    raise AssertionError


def start_dying(document: Mapping[str, Any], secret: bytes) -> Callable[[Message], Message]:
    os._exit(7)


def start_greedy(document: Mapping[str, Any], secret: bytes) -> Callable[[Message], Message]:
    bytearray(1 << 40)
    raise AssertionError


def start_once(document: Mapping[str, Any], secret: bytes) -> Callable[[Message], Message]:
    """Start well the first `count` times; after that fail until the file ``allow`` exists."""
    started = Path(document["started"])
    with started.open("a", encoding="ascii") as marks:
        marks.write("x")
    if started.stat().st_size > document["count"] and not Path(document["allow"]).exists():
        raise RuntimeError(VALUE)
    return start(document, secret)


def _echo(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    return Message({"n": job.header.get("n"), "pid": os.getpid()}, job.fields)


def _warm(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    time.sleep(0.001)
    return Message({"pid": os.getpid(), "is_warm": os.getpid() in WARM})


def _known(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    return Message({"document": dict(document), "environment": dict(os.environ)}, (secret,))


def _limits(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    names = ("RLIMIT_DATA", "RLIMIT_CORE", "RLIMIT_NOFILE", "RLIMIT_CPU")
    found = {name: resource.getrlimit(getattr(resource, name))[0] for name in names}
    return Message(
        {
            **found,
            "nice": os.nice(0),
            "oom": int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii")),
            "session": os.getsid(0),
            "stdin_is_socket": stat.S_ISSOCK(os.fstat(0).st_mode),
        }
    )


def _hang(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    while True:
        time.sleep(3600)


def _work_slowly(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    """Work and wait by turns, as on a busy machine."""
    for _ in range(8):
        _spin(0.02)
        time.sleep(0.1)
    return Message({"n": job.header.get("n")})


def _look(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    """Say how many pixels it looks at, and then work for so long."""
    announce(job.header["pixels"])
    _spin(job.header["cpu_s"])
    return Message({})


def _work_for_ever(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    _spin(3600)
    return Message({})


def _spin(cpu_s: float) -> None:
    until = time.process_time() + cpu_s
    while time.process_time() < until:
        pass


def _hang_with_program(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    with subprocess.Popen(["sleep", "3600"]) as child:
        Path(job.header["pid_file"]).write_text(str(child.pid), encoding="ascii")
        return _hang(job, document, secret, kept)


def _eat(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    meal = []
    while True:
        meal.append(bytearray(os.urandom(16)) * (1 << 20))


def _keep(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    kept.append(bytearray(b"x") * job.header["bytes"])
    return _echo(job, document, secret, kept)


def _segfault(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    ctypes.string_at(0)
    raise AssertionError


def _exit(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    os._exit(3)


def _sys_exit(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    sys.exit(VALUE)


def _spent(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    os.kill(os.getpid(), signal.SIGXCPU)
    return _hang(job, document, secret, kept)


def _raise(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    try:
        return document[VALUE]  # type: ignore[no-any-return]
    except KeyError as error:
        raise ValueError(f"invalid name {VALUE}") from error


def _nothing(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    return None  # type: ignore[return-value]


def _list(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    return Message([1, 2, 3])  # type: ignore[arg-type]


def _noise(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    os.write(_socket(), b"\xff" * 4096)
    return _hang(job, document, secret, kept)


def _enormous(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    os.write(_socket(), struct.pack(">BHIQ", 4, 1, 2, 1 << 50))
    return _hang(job, document, secret, kept)


def _twice(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    body = b'{"tired":false,"cpu_s":0,"body":{}}'
    os.write(_socket(), struct.pack(">BHI", 4, 0, len(body)) + body)
    return Message({})


def _socket() -> int:
    return next(fd for fd in range(3, 64) if _is_socket(fd))


def _is_socket(fd: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False


def _print(
    job: Message, document: Mapping[str, Any], secret: bytes, kept: list[bytearray]
) -> Message:
    print(VALUE, flush=True)
    print(VALUE, file=sys.stderr, flush=True)
    return Message({})


def _garbage(*_: Any) -> Message:
    return Message({"is_collected": gc.isenabled(), "kept": gc.get_freeze_count()})


def _threads(*_: Any) -> Message:
    import cv2  # noqa: PLC0415 - as workers do, when there is a frame

    return Message({"count": cv2.getNumThreads()})


DEEDS: dict[str, Callable[..., Message]] = {
    "echo": _echo,
    "garbage": _garbage,
    "threads": _threads,
    "warm": _warm,
    "known": _known,
    "limits": _limits,
    "hang": _hang,
    "hang_with_program": _hang_with_program,
    "eat": _eat,
    "keep": _keep,
    "segfault": _segfault,
    "exit": _exit,
    "sys_exit": _sys_exit,
    "spent": _spent,
    "raise": _raise,
    "nothing": _nothing,
    "list": _list,
    "noise": _noise,
    "enormous": _enormous,
    "twice": _twice,
    "work_slowly": _work_slowly,
    "look": _look,
    "work_for_ever": _work_for_ever,
    "print": _print,
}
