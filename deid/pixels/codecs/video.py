"""MPEG2, H.264 and HEVC: decoded frame by frame and cleaned where PyAV is installed.

PyAV is not among our dependencies: its wheels carry GPL encoders, which a site may install beside
us. Without it, or without an encoder for the stream, video is refused. A video in which no text is
found is kept byte for byte. One that is cleaned is encoded again as a whole, without its sound
(people speak names), in the container it came in.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from deid.errors import Reason, Unsafe
from deid.pixels.codecs import encapsulation
from deid.pixels.codecs.lossy import lossy_step
from deid.pixels.description import describe
from deid.pixels.find.views import FrameLook
from deid.pixels.samples import Decoded
from deid.ports import CleanedPixels, PixelInstance, PixelRegion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deid.pixels.description import ImageDescription
    from deid.pixels.fillings import Filling
    from deid.pixels.find.views import Looks
    from deid.pixels.geometry import Box

#: Demuxer names of PyAV and the muxer that writes the same container.
_MUXERS = {
    "mpegts": "mpegts",
    "mpeg": "vob",
    "mpegvideo": "mpeg2video",
    "h264": "h264",
    "hevc": "hevc",
    "mov,mp4,m4a,3gp,3g2,mj2": "mp4",
}
_METHODS = {"mpeg2video": "ISO_13818_2", "h264": "ISO_14496_10", "hevc": "ISO_23008_2"}
_ENCODERS = {"mpeg2video": "mpeg2video", "h264": "libx264", "hevc": "libx265"}
_LARGEST_RESIDUE = 24


class Decides(Protocol):
    """Says what is to be filled in a video."""

    def video_fillings(
        self, instance: PixelInstance, image: ImageDescription, looks: Looks
    ) -> Sequence[Filling]:
        """Return what is to be filled in all of its frames."""


VideoCleaner = Callable[[Decides, PixelInstance], CleanedPixels]


def video_cleaner() -> VideoCleaner | None:
    """Return what `PixelCleaning` takes as `video`, None where PyAV is not installed."""
    try:
        av = importlib.import_module("av")
    except ImportError:
        return None
    return lambda cleaning, instance: _Video(av, cleaning, instance).cleaned()


class _Looks:
    """Looks at a video, which is decoded anew to look at a frame again.

    Attributes
    ----------
    seen
        How many frames it was found to have.
    """

    def __init__(self, decode: Callable[[], Iterator[FrameLook]]) -> None:
        self._decode = decode
        self.seen = 0

    def __iter__(self) -> Iterator[FrameLook]:
        for look in self._decode():
            self.seen += 1
            yield look

    def again(self, number: int) -> FrameLook:
        return next(islice(self._decode(), number, None))


class _Video:
    """One video: the stream as bytes, decoded as often as it is looked at."""

    def __init__(self, av: Any, cleaning: Decides, instance: PixelInstance) -> None:
        self._av, self._cleaning, self._instance = av, cleaning, instance
        self._image = describe(instance.attributes)
        source = encapsulation.parse(instance.value, instance.start, instance.stop, 1)
        self._source = source
        self._stream = source.frames[0].read(instance.value)

    def cleaned(self) -> CleanedPixels:
        try:
            return self._cleaned()
        except (Unsafe, MemoryError):
            raise
        except Exception as error:
            raise Unsafe(Reason.VIDEO_NOT_CLEANED, "video decoder or encoder") from error

    def _cleaned(self) -> CleanedPixels:
        looks = _Looks(lambda: self._looks(self._stream))
        fillings = self._cleaning.video_fillings(self._instance, self._image, looks)
        frames = looks.seen
        if frames < self._image.frames:
            raise Unsafe(Reason.PIXELS_UNDECODABLE, f"video frame {frames + 1}")
        if not fillings:
            return CleanedPixels(None, (), {}, examined_all=True)
        boxes = [filling.box for filling in fillings]
        encoded, method = self._encoded(boxes)
        self._prove(encoded, boxes, frames)
        segments, changes = encapsulation.build(
            self._source, {0: encoded}, self._instance.attributes
        )
        changes |= self._lossy_step(len(encoded), method)
        regions = tuple(
            PixelRegion(number + 1, *filling.box, filling.why)
            for number in range(frames)
            for filling in fillings
        )
        return CleanedPixels(segments, regions, changes, examined_all=True)

    def _looks(self, stream: bytes) -> Iterator[FrameLook]:
        for frame in self._frames(stream):
            samples = frame.to_ndarray(format="rgb24")
            if samples.shape[:2] != (self._image.rows, self._image.columns):
                raise Unsafe(Reason.PIXELS_UNDECODABLE, "video frame size")
            yield FrameLook(self._rgb(), Decoded(samples, "RGB"), {})

    def _frames(self, stream: bytes) -> Iterator[Any]:
        try:
            with self._av.open(io.BytesIO(stream)) as container:
                yield from container.decode(video=0)
        except self._av.error.FFmpegError as error:
            raise Unsafe(Reason.VIDEO_NOT_CLEANED, "video decoder") from error

    def _rgb(self) -> ImageDescription:
        return describe(
            {
                "Rows": self._image.rows,
                "Columns": self._image.columns,
                "SamplesPerPixel": 3,
                "BitsAllocated": 8,
                "PhotometricInterpretation": "RGB",
            }
        )

    def _encoded(self, boxes: Sequence[Box]) -> tuple[bytes, str]:
        """Return the whole stream with every box black in every frame, and the method's term."""
        out = io.BytesIO()
        with self._av.open(io.BytesIO(self._stream)) as source:
            given = source.streams.video[0]
            codec = given.codec_context.name
            muxer = _MUXERS[source.format.name]
            with self._av.open(out, "w", format=muxer) as target:
                made = target.add_stream(_ENCODERS[codec], rate=given.average_rate or 25)
                made.width, made.height = given.codec_context.width, given.codec_context.height
                made.pix_fmt = given.codec_context.pix_fmt
                if codec == "mpeg2video":
                    made.bit_rate = int(given.codec_context.bit_rate or 8_000_000)
                else:
                    made.options = {"crf": "18"}
                for frame in source.decode(given):
                    samples = frame.to_ndarray(format="rgb24")
                    for box in boxes:
                        samples[box.top : box.bottom, box.left : box.right] = 0
                    filled = self._av.VideoFrame.from_ndarray(samples, format="rgb24")
                    filled.pts, filled.time_base = frame.pts, frame.time_base
                    target.mux(made.encode(filled.reformat(format=made.pix_fmt)))
                target.mux(made.encode(None))
        return out.getvalue(), _METHODS[codec]

    def _prove(self, encoded: bytes, boxes: Sequence[Box], frames: int) -> None:
        seen = 0
        for seen, shown in enumerate(self._looks(encoded), 1):
            for box in boxes:
                area = shown.high[box.top : box.bottom, box.left : box.right]
                if area.size and int(np.percentile(area, 99)) > _LARGEST_RESIDUE:
                    raise Unsafe(Reason.PIXELS_NOT_CLEANED, f"video frame {seen}")
        if seen != frames:
            raise Unsafe(Reason.PIXELS_NOT_CLEANED, "video frames")

    def _lossy_step(self, length: int, method: str) -> dict[str, Any]:
        ratio = self._image.rows * self._image.columns * 3 * self._image.frames / max(length, 1)
        return lossy_step(self._instance.attributes, ratio, method)
