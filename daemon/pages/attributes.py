"""Values of DICOM JSON (PS3.18 F.2) as a page shows them."""

from __future__ import annotations

from collections.abc import Mapping

from dicomweb.attributes import tag_of


def texts(attributes: Mapping[str, object], keyword: str) -> list[str]:
    """Return the values of an attribute as texts; of a person's name that in the Latin alphabet, if any."""
    element = attributes.get(tag_of(keyword))
    values = element.get("Value") if isinstance(element, Mapping) else None
    return [shown(value) for value in values] if isinstance(values, list) else []


def text(attributes: Mapping[str, object], keyword: str) -> str:
    r"""Return all values of an attribute in one text, with a backslash between them."""
    return "\\".join(texts(attributes, keyword))


def number(attributes: Mapping[str, object], keyword: str) -> int:
    """Return the first value of an attribute as a whole number; 0 where it is none."""
    values = texts(attributes, keyword)
    return int(values[0]) if values and values[0].isascii() and values[0].isdigit() else 0


def shown(value: object) -> str:
    """Return one value as a text."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        groups = [
            str(value[name]) for name in ("Alphabetic", "Ideographic", "Phonetic") if name in value
        ]
        return "=".join(groups)
    return str(value)
