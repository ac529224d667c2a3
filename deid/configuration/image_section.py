"""What a configuration asks of pixels: `ImageConfig`, wherever it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deid.pixels.policy import CustomRegex, ImagePolicy, RedactionMode

if TYPE_CHECKING:
    from deid.configuration.notes import Notes

SENSITIVE_MODES: Final = frozenset(
    {RedactionMode.SENSITIVE, RedactionMode.SENSITIVE_CLEAN_DESCRIPTORS}
)


def read_image(notes: Notes, given: dict[str, Any], path: str) -> ImagePolicy:
    """Return the policy of one `ImageConfig` that stands at `path`."""
    named = given.get("textRedactionMode", "TEXT_REDACTION_MODE_UNSPECIFIED")
    unset = named == "TEXT_REDACTION_MODE_UNSPECIFIED"
    mode = RedactionMode.NONE if unset else RedactionMode(named)
    if unset and (given.get("additionalInfoTypes") or given.get("customRegexes")):
        notes.warn("sensitive_text_assumed", f"{path}.textRedactionMode")
        mode = RedactionMode.SENSITIVE
    sensitive = mode in SENSITIVE_MODES
    for name, allowed in (
        ("additionalInfoTypes", sensitive or unset),
        ("excludeInfoTypes", sensitive),
    ):
        if given.get(name) and not allowed:
            notes.problems.append(
                f"{path}.{name} needs a textRedactionMode of REDACT_SENSITIVE_TEXT or"
                " REDACT_SENSITIVE_TEXT_CLEAN_DESCRIPTORS"
            )
    regexes = []
    for index, each in enumerate(given.get("customRegexes", [])):
        where = f"{path}.customRegexes[{index}]"
        groups = tuple(each.get("groupIndexes", ()))
        if notes.pattern(where, each.get("pattern", ""), groups, "groupIndexes"):
            regexes.append(CustomRegex(each["pattern"], groups))
    if regexes and mode is RedactionMode.NONE:
        notes.warn("no_effect_without_redaction", path)
    return ImagePolicy(
        mode,
        notes.info_types(f"{path}.additionalInfoTypes", given.get("additionalInfoTypes", [])),
        notes.info_types(
            f"{path}.excludeInfoTypes", given.get("excludeInfoTypes", []), excluding=True
        ),
        tuple(regexes),
    )
