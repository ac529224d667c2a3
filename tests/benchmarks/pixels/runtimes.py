"""Whether both runtimes of the text models find the same regions, frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.engines.models import make_detector
from daemon.engines.runtimes import OnnxRuntimeModel, OpenVinoModel
from deid.pixels.description import describe
from deid.pixels.find.views import picture
from deid.pixels.frames import open_frames

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.pixels.ports import TextDetector
    from deid.ports import PixelInstance


def detectors() -> tuple[TextDetector, TextDetector]:
    """Return the default detector as onnxruntime runs it, and as OpenVINO does, which must be there."""
    one, other = (make_detector(runtime=runtime) for runtime in (OnnxRuntimeModel, OpenVinoModel))
    return one, other


def differing(instances: Iterable[tuple[str, PixelInstance]]) -> tuple[int, list[str]]:
    """Return how many first frames were looked at, and the names of those whose regions differ."""
    one, other = detectors()
    names, frames = [], 0
    for name, instance in instances:
        image = describe(instance.attributes)
        shown = picture(image, open_frames(instance, image).decoded(0), instance.attributes)
        found = [
            sorted(region.box for region in detector.find([shown], needs_reading=False)[0])
            for detector in (one, other)
        ]
        frames += 1
        if found[0] != found[1]:
            names.append(name)
    return frames, names
