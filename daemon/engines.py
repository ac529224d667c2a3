"""What the de-identification core is handed for looking at pixels.

Made in worker processes only: the models are read, and the runtime is loaded, when the first plan that
cleans pixels asks for a detector.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from deid.ports import Engines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from deid.pixels.ports import TextDetector
    from deid.pixels.templates import RegionTemplate


def engines() -> Engines:
    """Return the engines of this process."""
    return Engines(detector=_detector, templates=_templates, video=_video)


@cache
def _detector() -> TextDetector:
    from daemon.pixel_models import make_detector  # noqa: PLC0415 - large, and seldom needed

    return make_detector()


@cache
def _templates() -> Sequence[RegionTemplate]:
    from daemon.pixel_models import read_region_templates  # noqa: PLC0415

    return read_region_templates()


@cache
def _video() -> Any:
    from deid.pixels.video import video_cleaner  # noqa: PLC0415

    return video_cleaner()
