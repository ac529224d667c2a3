"""From a TOML file and environment variables to `Settings`, or to all that is wrong with them."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from config import contradictions, presets, reference
from config.errors import ConfigError, ConfigInvalid, ConfigUnreadable, Problem
from config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails

PREFIX = "DICOMVEIL_"
FILE_VARIABLE = "DICOMVEIL_CONFIG"
FILE_NAME = "dicomveil.toml"
SYSTEM_FILE = Path("/etc/dicomveil") / FILE_NAME
DEFAULTS = "built-in defaults"

Place = tuple[str | int, ...]


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this site.

    Parameters
    ----------
    path
        The file named on the command line; without it the file is searched for (see `locate`).
    environ
        The environment; by default that of this process.

    Raises
    ------
    ConfigUnreadable
        If the file, or a de-identification file it names, is missing or is not TOML (JSON).
    ConfigInvalid
        If anything in it is wrong; it lists everything that is.
    """
    environ = os.environ if environ is None else environ
    file = locate(path, environ)
    draft = _Draft(source=str(file) if file else DEFAULTS)
    if file:
        draft.data = _read(file)
        _anchor(draft.data, file.absolute().parent)
    draft.override(environ)
    return draft.settle()


def locate(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the file that `load` reads, or None when the defaults run.

    The first of: `path`, ``$DICOMVEIL_CONFIG``, ``./dicomveil.toml``,
    ``/etc/dicomveil/dicomveil.toml``. The first two are taken even if they do not exist: somebody
    meant them.
    """
    environ = os.environ if environ is None else environ
    if path is not None:
        return path
    if environ.get(FILE_VARIABLE):
        return Path(environ[FILE_VARIABLE])
    return next((file for file in (Path(FILE_NAME), SYSTEM_FILE) if file.exists()), None)


def _read(file: Path) -> dict[str, Any]:
    def unreadable(expected: str) -> ConfigUnreadable:
        return ConfigUnreadable([Problem(str(file), "", "", expected)])

    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise unreadable(f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise unreadable(f"is not UTF-8 at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise unreadable(f"is not TOML: {_toml_error(str(error))}") from None
    except RecursionError:
        raise unreadable("is nested too deeply") from None


def _toml_error(text: str) -> str:
    """Say what is wrong and where: before Python 3.14 `tomllib` has the position in its text only."""
    at = re.search(r" \(at (line \d+, column \d+)\)$", text)
    if at is None:
        return f"{text.removesuffix(' (at end of document)')} at the end of the file"
    return f"{text[: at.start()]} at {at[1]}"


def _anchor(data: dict[str, Any], folder: Path) -> None:
    """Make relative paths absolute, in place. What is not a path is left for validation."""

    def anchor(table: Any, name: str, *, suffix: str = "") -> None:
        if (
            isinstance(table, dict)
            and isinstance(value := table.get(name), str)
            and value.endswith(suffix)
        ):
            # `normpath`, not `resolve`: links stay as the site wrote them.
            table[name] = os.path.normpath(folder / Path(value).expanduser())

    def tables(value: Any) -> list[Any]:
        return (
            list(value.values())
            if isinstance(value, dict)
            else value
            if isinstance(value, list)
            else []
        )

    anchor(data, "state_dir")
    anchor(data.get("key"), "file")
    pixels = data.get("pixels")
    if isinstance(pixels, dict) and isinstance(folders := pixels.get("templates"), list):
        pixels["templates"] = [
            os.path.normpath(folder / Path(each).expanduser()) if isinstance(each, str) else each
            for each in folders
        ]
    for watch in tables(data.get("watch")):
        anchor(watch, "path")
        anchor(watch, "moved_to")
    for deidentifier in tables(data.get("deidentifiers")):
        anchor(deidentifier, "config", suffix=".json")


@dataclass
class _Draft:
    """Settings on the way: raw data, where each part came from, and what was found wrong."""

    source: str
    data: dict[str, Any] = field(default_factory=dict)
    variables: dict[Place, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def override(self, environ: Mapping[str, str]) -> None:
        """Lay environment variables over the file."""
        for variable in sorted(environ):
            if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
                continue
            place = tuple(variable.removeprefix(PREFIX).lower().split("__"))
            table: Any = self.data
            for part in place[:-1]:
                table = table.setdefault(part, {}) if isinstance(table, dict) else table
            if not isinstance(table, dict):
                self.problems.append(
                    Problem(variable, "", "", "is below a key that is not a table")
                )
                continue
            table[place[-1]] = _value(place, environ[variable])
            self.variables[place] = variable
        _anchor(self.data, Path.cwd())

    def settle(self) -> Settings:
        """Return the settings, or raise with every problem."""
        settings, broken = self._validated()
        if settings is not None:
            tops = {place[0] for place in broken if place}
            for found in contradictions.find(settings):
                if not tops.intersection((_place(found.key)[0], *found.others)):
                    self._report(_place(found.key), "", found.expected, found.nearest)
            self._resolve_deidentifiers(settings)
        if self.problems or settings is None:
            raise ConfigInvalid(self.problems)
        return settings

    def _validated(self) -> tuple[Settings | None, list[Place]]:
        """Return the settings without their broken parts, so that the rest can be checked too."""
        data = deepcopy(self.data)
        broken: list[Place] = []
        try:
            return Settings.model_validate(data), broken
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                place = _documented(detail["loc"])
                if place not in broken:
                    self._report_invalid(place, detail)
                    broken.append(place)
                    _prune(data, place)
        try:
            return Settings.model_validate(data), broken
        except ValidationError:  # all of it is reported by now
            return None, broken

    def _report_invalid(self, place: Place, detail: ErrorDetails) -> None:
        key = reference.find(place)
        if detail["type"] == "extra_forbidden":
            self._report(
                place, _type(detail["input"]), "there is no such setting", _nearest_key(place)
            )
        elif detail["type"] == "missing":
            self._report(place, "", f"is missing; expected {key.kind if key else 'a value'}")
        elif detail["type"] == "check":
            context = detail["ctx"]
            found = "" if "[key]" in detail["loc"] else _type(detail["input"])
            self._report(place, found, context["expected"], context["nearest"])
        else:
            expected = key.kind if key else _section_kind(place)
            self._report(
                place, _type(detail["input"]), f"expected {expected}", _nearest_choice(detail)
            )

    def _report(self, place: Place, found: str, expected: str, nearest: str = "") -> None:
        variable = self._variable(place)
        self.problems.append(
            Problem(variable or self.source, _dotted(place), found, expected, nearest)
        )

    def _variable(self, place: Place) -> str:
        """Return the environment variable that set this place, or the nearest one around it."""
        above = (place[:depth] for depth in range(len(place), 0, -1))
        return next((self.variables[part] for part in above if part in self.variables), "")

    def _resolve_deidentifiers(self, settings: Settings) -> None:
        for name, deidentifier in settings.deidentifiers.items():
            place = ("deidentifiers", name, "config")
            source = self._variable(place) or self.source
            try:
                presets.resolve(deidentifier.config, source=source, key=_dotted(place))
            except ConfigError as error:
                self.problems.extend(error.problems)


def _value(place: Place, text: str) -> Any:
    """Return an environment variable's value: as TOML writes it, else as the text that it is."""
    key = reference.find(place)
    if key and key.is_text and not text.startswith(("'", '"')):
        return text
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    value = parsed["value"]
    return (
        value
        if len(parsed) == 1 and isinstance(value, (bool, int, float, str, list, dict))
        else text
    )


def _documented(loc: Sequence[str | int]) -> Place:
    """Cut what pydantic adds to a place: the branch of a union, the key of a table."""
    if "[key]" in loc:
        return tuple(loc[: list(loc).index("[key]")])
    outwards = (tuple(loc[:depth]) for depth in range(len(loc), 0, -1))
    return next((place for place in outwards if reference.find(place)), tuple(loc))


def _prune(data: dict[str, Any], place: Place) -> None:
    """Remove a broken part, or its section where it cannot do without it."""
    table: Any = data
    for part in place[:-1]:
        if isinstance(table, dict):
            table = table.get(part)
        elif isinstance(table, list) and isinstance(part, int):
            table = table[part]
    if isinstance(table, dict) and place[-1] in table:
        del table[place[-1]]
    else:
        data.pop(str(place[0]), None)


def _dotted(place: Place) -> str:
    path = ""
    for part in place:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _place(key: str) -> Place:
    return tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", key))


def _type(value: object) -> str:
    """Name a value's type as TOML calls it."""
    names = {
        bool: "a boolean",
        int: "an integer",
        float: "a float",
        str: "a string",
        list: "an array",
        dict: "a table",
    }
    return names.get(type(value), "a date or time")


def _section_kind(place: Place) -> str:
    return "an array of tables" if place in {("watch",), ("routes",)} else "a table"


def _nearest_key(place: Place) -> str:
    """Return the known key that an unknown one was probably meant to be."""
    *above, name = place
    written, section = str(name).lower(), reference.generalise(above)
    paths = [key.path for key in reference.all_keys()]
    siblings = {_next_part(path, section) for path in paths} - {""}
    if near := difflib.get_close_matches(written, sorted(siblings), n=1, cutoff=0.7):
        return _dotted((*above, near[0]))
    # Perhaps the right key in the wrong section.
    names = {path.rpartition(".")[2] for path in paths}
    meant = difflib.get_close_matches(written, sorted(names), n=1, cutoff=0.7)
    return " or ".join([path for path in paths if path.rpartition(".")[2] in meant][:3])


def _next_part(path: str, section: str) -> str:
    """Return the part of a documented path below a section, without its brackets."""
    if section and not path.startswith(f"{section}."):
        return ""
    return path.removeprefix(f"{section}." if section else "").partition(".")[0].removesuffix("[]")


def _nearest_choice(detail: ErrorDetails) -> str:
    if detail["type"] != "literal_error" or not isinstance(detail["input"], str):
        return ""
    choices = re.findall(r"'([^']+)'", detail["ctx"]["expected"])
    return next(
        (f'"{near}"' for near in difflib.get_close_matches(detail["input"].lower(), choices, n=1)),
        "",
    )
