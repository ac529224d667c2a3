"""What the de-identification core is handed for looking at pixels, as a site chose it.

Made in worker processes only. The models are read, and the runtime is loaded, when a first frame is looked at:
most instances come from machines that write nothing into their pixels, and are looked at by nobody.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from deid.errors import ConfigurationInvalid
from deid.ports import Engines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from config.settings import Pixels
    from deid.pixels.ports import Picture, TextDetector, TextRegion
    from deid.pixels.templates import RegionTemplate
    from deid.pixels.trust import Untrusted


@dataclass(frozen=True, slots=True)
class PixelSettings:
    """The section `[pixels]` (`config.settings.Pixels`) as it travels to the workers."""

    engine: str
    tesseract_languages: str
    templates: tuple[str, ...]
    blank_outside_ultrasound_regions: bool
    trusted: tuple[str, ...]
    untrusted: Mapping[str, Sequence[str]]
    most_filled: Mapping[str, float]

    @classmethod
    def of(cls, section: Pixels) -> Self:
        """Return what a site decided. Here and not in a worker, which does without pydantic."""
        return cls.from_document(section.model_dump(mode="json"))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return what `document` made."""
        lists = {key: tuple(document[key]) for key in ("templates", "trusted")}
        return cls(**{**document, **lists})

    def document(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {**asdict(self), "templates": list(self.templates), "trusted": list(self.trusted)}


def _to_nobody(_: int) -> None:
    """Do nothing: nobody limits the time."""


def engines(settings: PixelSettings, announce: Callable[[int], None] = _to_nobody) -> Engines:
    """Return the engines of this process.

    Parameters
    ----------
    announce
        Called with the number of pixels before each look for text: time limits follow them.
    """
    return Engines(
        detector=partial(_announced, settings.engine, settings.tesseract_languages, announce),
        templates=partial(_templates, settings.templates),
        video=_video,
        untrusted=partial(_untrusted, settings),
        blank_outside_ultrasound_regions=settings.blank_outside_ultrasound_regions,
        most_filled=settings.most_filled,
    )


def problems(settings: PixelSettings) -> Iterator[tuple[str, str]]:
    """Yield what cannot work on this machine: key of the section, and why."""
    from daemon.engines.models import PixelModelsMissing, read_pixel_models  # noqa: PLC0415

    if settings.engine in ("ppocr", "paranoid"):
        try:
            read_pixel_models()
        except (PixelModelsMissing, OSError) as error:
            yield "engine", str(error)
    if settings.engine in ("tesseract", "paranoid"):
        from daemon.engines import tesseract as pixel_tesseract  # noqa: PLC0415

        try:
            pixel_tesseract.check_languages(settings.tesseract_languages)
        except pixel_tesseract.LanguageMissing as error:
            yield "tesseract_languages", str(error)
        except pixel_tesseract.TesseractFailed as error:
            yield "engine", str(error)
    for number, folder in enumerate(settings.templates):
        yield from ((f"templates[{number}]", problem) for problem in _problems_of(folder))
    try:
        _untrusted(settings)
    except ConfigurationInvalid as error:
        yield from (("trusted", problem) for problem in error.problems)


def _problems_of(folder: str) -> list[str]:
    from daemon.engines.region_templates import read_region_templates  # noqa: PLC0415

    try:
        read_region_templates(Path(folder))
    except ConfigurationInvalid as error:
        return error.problems
    except OSError as error:
        return [f"{folder} cannot be read ({error.strerror})"]
    return []


class Announced:
    """A text detector that says how many pixels it is about to look at.

    Parameters
    ----------
    make
        Returns the detector that looks; the same one each time.
    """

    def __init__(self, make: Callable[[], TextDetector], announce: Callable[[int], None]) -> None:
        self._make, self._announce = make, announce

    def find(
        self, pictures: Sequence[Picture], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        """Return the regions of each picture."""
        self._announce(
            sum(picture.display.shape[0] * picture.display.shape[1] for picture in pictures)
        )
        return self._make().find(pictures, needs_reading=needs_reading)


@cache
def _announced(engine: str, languages: str, announce: Callable[[int], None]) -> TextDetector:
    return Announced(partial(_detector, engine, languages), announce)


@cache
def _detector(engine: str, languages: str) -> TextDetector:
    """Return the text detector of that name; made once in a process."""
    from daemon.engines.models import make_detector  # noqa: PLC0415 - large, and seldom needed

    if engine == "ppocr":
        return make_detector()
    from daemon.engines.tesseract import Tesseract, make_paranoid_detector  # noqa: PLC0415

    if engine == "paranoid":
        return make_paranoid_detector(languages=languages)
    return Tesseract(languages=languages)


@cache
def _templates(folders: tuple[str, ...]) -> Sequence[RegionTemplate]:
    from daemon.engines.region_templates import read_region_templates  # noqa: PLC0415

    return read_region_templates(*map(Path, folders))


@cache
def _video() -> Any:
    from deid.pixels.codecs.video import video_cleaner  # noqa: PLC0415

    return video_cleaner()


def _untrusted(settings: PixelSettings) -> Sequence[Untrusted]:
    from deid.pixels.trust import trust_table  # noqa: PLC0415

    return trust_table(settings.trusted, settings.untrusted)
