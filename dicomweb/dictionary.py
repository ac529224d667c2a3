"""The data dictionary (PS3.6): tags, keywords and value representations, private ones too.

The tables are pydicom's. Importing pydicom takes a quarter of a second, and every worker describes instances;
so the files that hold the tables are read where they lie, and the library is not imported.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    Entry = tuple[str, str, str, str, str]
    """VR, VM, name, ``Retired`` or nothing, keyword."""

_VR, _KEYWORD = 0, 4
_PRIVATE_VR: Final = 0


def _module(name: str) -> ModuleType:
    """Return one of pydicom's modules that hold a table and import nothing."""
    loaded = sys.modules.get(f"pydicom.{name}")
    if loaded is not None:
        return loaded
    package = find_spec("pydicom")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("pydicom")
    spec = spec_from_file_location(
        f"{__name__}.{name}", Path(package.origin).with_name(f"{name}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def attributes() -> Mapping[int, Entry]:
    """Return the rows of attributes with one tag."""
    rows: Mapping[int, Entry] = _module("_dicom_dict").DicomDictionary
    return rows


@cache
def _repeating() -> Mapping[str, Entry]:
    rows: Mapping[str, Entry] = _module("_dicom_dict").RepeatersDictionary
    return rows


@cache
def _private() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    rows: Mapping[str, Mapping[str, tuple[str, ...]]] = _module(
        "_private_dict"
    ).private_dictionaries
    return rows


@cache
def _tags() -> dict[str, int]:
    return {entry[_KEYWORD]: tag for tag, entry in attributes().items() if entry[_KEYWORD]}


def _entry(tag: int) -> Entry | None:
    entry = attributes().get(tag)
    if entry is not None or tag >> 16 & 1:
        return entry
    digits = f"{tag:08X}"
    for mask, repeating in _repeating().items():
        if all(m in ("x", d) for m, d in zip(mask.replace("X", "x"), digits, strict=True)):
            return repeating
    return None


def tag_for_keyword(keyword: str) -> int | None:
    """Return a keyword's tag; None for what is none, and for repeating groups."""
    return _tags().get(keyword)


def keyword_for_tag(tag: int) -> str:
    """Return a tag's keyword, or an empty string."""
    entry = _entry(tag)
    return entry[_KEYWORD] if entry else ""


def vr_for_tag(tag: int) -> str | None:
    """Return the dictionary's VR, such as ``US or SS``; None for what it does not have."""
    entry = _entry(tag)
    return entry[_VR] if entry else None


def vr_for_private(tag: int, creator: str) -> str | None:
    """Return the VR that a private creator's dictionary gives; None where it is not known."""
    block = _private().get(creator, {})
    group, element = f"{tag >> 16:04X}", f"{tag & 0xFFFF:04X}"
    names = (
        group + element,
        f"{group}xx{element[2:]}",
        f"{group[:2]}xxxx{element[2:]}",
    )
    return next((block[name][_PRIVATE_VR] for name in names if name in block), None)
