"""The de-identification configuration: the Cloud Healthcare API's `DeidentifyConfig` and our own fields."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from deid.errors import ConfigurationInvalid
from deid.tags.policy import BurnedIn, Option, Profile, TagPolicy, UnknownSopClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_T = TypeVar("_T")
_PROFILES: Final = {
    "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE": Profile.BASIC,
}
_TOP: Final = ("dicom", "dicomveil")
_DICOM: Final = ("filterProfile",)
_OURS: Final = ("options", "burnedIn", "unknownSopClass")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A configuration as values, and what was leniently understood."""

    tags: TagPolicy
    warnings: tuple[str, ...] = ()


def parse_configuration(configuration: Mapping[str, Any]) -> Parsed:
    """Parse and check a configuration.

    Raises
    ------
    ConfigurationInvalid
        With every problem: the JSON path, what is wrong, and the nearest valid choice.
    """
    problems: list[str] = []
    _unknown("", configuration, _TOP, problems)
    dicom = _object(configuration, "dicom", problems)
    ours = _object(configuration, "dicomveil", problems)
    _unknown("dicom.", dicom, _DICOM, problems)
    _unknown("dicomveil.", ours, _OURS, problems)
    profile = _choice("dicom.filterProfile", dicom.get("filterProfile"), _PROFILES, problems)
    if profile is None and not problems:
        problems.append(
            f"dicom.filterProfile is missing; give one of {', '.join(sorted(_PROFILES))}"
        )
    options = _options(ours.get("options", []), problems)
    burned_in = _choice(
        "dicomveil.burnedIn", ours.get("burnedIn"), {b.value: b for b in BurnedIn}, problems
    )
    unknown = _choice(
        "dicomveil.unknownSopClass",
        ours.get("unknownSopClass"),
        {u.value: u for u in UnknownSopClass},
        problems,
    )
    if problems or profile is None:
        raise ConfigurationInvalid(problems)
    return Parsed(
        TagPolicy(
            profile=profile,
            options=options,
            burned_in=burned_in or BurnedIn.QUARANTINE,
            unknown_sop_class=unknown or UnknownSopClass.QUARANTINE,
        )
    )


def _options(given: Any, problems: list[str]) -> frozenset[Option]:
    if not isinstance(given, list):
        problems.append("dicomveil.options must be a list of option names")
        return frozenset()
    names = {option.value: option for option in Option}
    chosen = {
        option
        for index, name in enumerate(given)
        if (option := _choice(f"dicomveil.options[{index}]", name, names, problems)) is not None
    }
    if {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES} <= chosen:
        problems.append(
            "dicomveil.options holds retain_full_dates and retain_modified_dates, which exclude each"
            " other (PS3.15 E.3.6); keep one"
        )
    return frozenset(chosen)


def _object(parent: Mapping[str, Any], name: str, problems: list[str]) -> Mapping[str, Any]:
    value = parent.get(name, {})
    if not isinstance(value, dict):
        problems.append(f"{name} must be an object, not {type(value).__name__}")
        return {}
    return value


def _unknown(
    prefix: str, given: Mapping[str, Any], valid: Iterable[str], problems: list[str]
) -> None:
    names = list(valid)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, 1, 0.5)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"valid here: {', '.join(names)}"
            problems.append(f"{prefix}{name} is not a known field; {hint}")


def _choice(path: str, given: Any, valid: Mapping[str, _T], problems: list[str]) -> _T | None:
    if given is None:
        return None
    if isinstance(given, str) and given in valid:
        return valid[given]
    near = difflib.get_close_matches(str(given), list(valid), 1, 0.4)
    hint = f"did you mean {near[0]}?" if near else f"valid: {', '.join(valid)}"
    problems.append(f"{path} has no choice of that name; {hint}")
    return None
