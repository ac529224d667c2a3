"""Tell systemd how the service is doing, by datagrams to ``$NOTIFY_SOCKET`` (sd_notify(3)).

Without systemd there is no such variable, and every call does nothing.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Notifier:
    """One service's line to its manager."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        name = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the abstract name space (unix(7)).
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self._watchdog_us = _watchdog_us(environ)

    @property
    def watchdog_interval_s(self) -> float | None:
        """Seconds between two `alive`: half of what the manager waits; None if it does not."""
        return self._watchdog_us / 2_000_000 if self._watchdog_us and self._address else None

    def ready(self, status: str) -> None:
        """Say that all listeners are bound, with a line for ``systemctl status``."""
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def alive(self) -> None:
        """Feed the watchdog; call it only after a probe that a new start would not help."""
        self._send("WATCHDOG=1")

    def status(self, status: str) -> None:
        """Set the line that ``systemctl status`` shows."""
        self._send(f"STATUS={_line(status)}")

    def stopping(self) -> None:
        """Say that the service drains and will end."""
        self._send("STOPPING=1\nSTATUS=draining")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with socket.socket(socket.AF_UNIX, kind) as line:
            try:
                line.sendto(message.encode(), self._address)
            except OSError:
                # The manager is away or its queue is full; if that lasts, its watchdog decides.
                return


def _watchdog_us(environ: Mapping[str, str]) -> int:
    """Return the manager's waiting time if it is meant for this process."""
    try:
        if int(environ.get("WATCHDOG_PID", os.getpid())) != os.getpid():
            return 0
        return max(0, int(environ.get("WATCHDOG_USEC", "0")))
    except ValueError:
        return 0


def _line(status: str) -> str:
    return " ".join(status.split())
