"""Ports for programs that have to be told one before they bind it."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_LOWEST = 32768
_COUNT = 12_000


def free_ports(count: int = 1) -> list[int]:
    """Return ports that are free, and that the kernel gives to nobody who asks for any.

    One of those could be taken by whatever connects to something before the program binds it.
    """
    lowest = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else _USUAL_LOWEST
    first = max(1024, lowest - _COUNT)
    found: list[int] = []
    with ExitStack() as held:
        for port in random.SystemRandom().sample(range(first, lowest), lowest - first):
            probe = held.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
            if len(found) == count:
                return found
    message = f"no {count} ports are free from {first} to {lowest}"
    raise OSError(message)
