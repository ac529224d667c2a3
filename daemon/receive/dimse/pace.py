"""Whether enough comes of an association: how long it may stand still, and since when it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.receive.dimse.admission import Quiet, Quietness

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.settings import Dimse

_LEAST_PROGRESS_BYTES: Final = 1 << 10
_QUIET_S: Final = 3.0
"""An association that has had a message makes room for others only after standing still for so long."""


class Pace:
    """What one association gains, by a clock in seconds that only goes forward.

    Attributes
    ----------
    has_spoken
        Whether a first command set has come in whole; until then, bytes that drip in win no time.
    is_proven
        Whether a message was completed and answered.
    """

    def __init__(self, settings: Dimse, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._progress_bytes = max(
            _LEAST_PROGRESS_BYTES, int(settings.min_bytes_per_s * settings.network_timeout_s)
        )
        self._gained = 0
        self._progressed_at = 0.0
        self.has_spoken = False
        self.is_proven = False

    def progress(self) -> None:
        """Begin to count anew: something was done."""
        self._gained = 0
        self._progressed_at = self._clock()

    def gain(self, size: int, *, is_under_way: bool) -> None:
        """Count bytes that came; they are progress once there are enough, or outside of a message."""
        self._gained += size
        if self.has_spoken and (self._gained >= self._progress_bytes or not is_under_way):
            self.progress()

    def patience(self, *, is_under_way: bool) -> tuple[str, float]:
        """Return what it would be to stand still any longer, and how many seconds it still may."""
        settings = self._settings
        if not self.has_spoken:
            code, allowed_s = "no_message", settings.first_message_timeout_s
        elif is_under_way:
            code, allowed_s = "stalled", settings.network_timeout_s
        else:
            code, allowed_s = "idle", settings.idle_timeout_s
        return code, self._progressed_at + allowed_s - self._clock()

    def quietness(self, *, is_under_way: bool) -> Quietness | None:
        """Return since when nothing comes of the association; None while it is in use."""
        if not self.has_spoken:
            return Quietness(Quiet.UNHEARD, self._progressed_at)
        if self._clock() - self._progressed_at < _QUIET_S:
            return None if self.is_proven else Quietness(Quiet.UNPROVEN, self._progressed_at)
        return Quietness(Quiet.STALLED if is_under_way else Quiet.IDLE, self._progressed_at)
