"""Checks of single values that a type alone does not express.

Each takes the value and returns it, or raises an error whose text says what is expected without
repeating the value.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

_STORES = ("source", "deid")
_OBJECT_KEYS = ("sop_class_uid", "modality", "conversion_type", "image_type")
_LANGUAGES = re.compile(r"[A-Za-z0-9_/]+(\+[A-Za-z0-9_/]+)*")
_DEIDENTIFIER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def _refuse(expected: str, nearest: str = "") -> PydanticCustomError:
    return PydanticCustomError("check", "{expected}", {"expected": expected, "nearest": nearest})


def ae_title(value: str) -> str:
    """Return an AE title as PS3.5 6.2 has it: 1 to 16 characters, no backslash, not only spaces."""
    usable = value.isascii() and value.isprintable() and "\\" not in value
    if not usable or not value.strip() or len(value) > 16:
        raise _refuse(
            "expected an AE title: 1 to 16 ASCII characters without backslash, not only spaces"
        )
    return value


def network(value: str) -> str:
    """Return an IPv4 or IPv6 network in CIDR notation, or a single address."""
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise _refuse(
            'expected a network such as "10.1.0.0/16" (no bits set behind the prefix) or an address'
        ) from None
    return value


def public_root(value: str) -> str:
    """Return an absolute http or https address without query and trailing slash, or nothing."""
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.netloc):
        raise _refuse('expected an address such as "https://pacs.example/veil", or an empty string')
    if parts.query or parts.fragment or parts.username or value.endswith("/"):
        raise _refuse("expected an address without user, query, fragment and trailing slash")
    return value


def deidentifier_name(value: str) -> str:
    """Return a deidentifier's name: it labels its derived key and stands in outcome records."""
    if not _DEIDENTIFIER_NAME.fullmatch(value):
        raise _refuse("expected a name of 1 to 64 lower-case letters, digits, - and _")
    return value


def dicom_keyword(value: str) -> str:
    """Return the keyword of a data element that PS3.6 lists."""
    # Loading the dictionary takes a while, and few sites match on other header fields.
    from pydicom.datadict import keyword_dict, tag_for_keyword  # noqa: PLC0415

    if tag_for_keyword(value) is None:
        nearest = difflib.get_close_matches(value, keyword_dict, n=1, cutoff=0.7)
        raise _refuse("expected the keyword of a data element (PS3.6)", *nearest)
    return value


def object_key(value: str) -> str:
    """Return the name of a condition on what kind of object an instance is."""
    if value not in _OBJECT_KEYS:
        nearest = difflib.get_close_matches(value, _OBJECT_KEYS, n=1)
        raise _refuse(f"expected one of {', '.join(_OBJECT_KEYS)}", *nearest)
    return value


def store_key(value: str) -> str:
    """Return the name of a store."""
    if value not in _STORES:
        nearest = difflib.get_close_matches(value, _STORES, n=1)
        raise _refuse(f"expected one of {', '.join(_STORES)}", *nearest)
    return value


def by_store(value: object) -> object:
    """Let one array stand for every store."""
    if isinstance(value, (list, tuple)):
        return dict.fromkeys(_STORES, value)
    return value


def tesseract_languages(value: str) -> str:
    """Return names of languages as tesseract takes them: they stand on its command line."""
    if not _LANGUAGES.fullmatch(value):
        raise _refuse('expected languages such as "eng" or "deu+eng"')
    return value


def one_or_many(value: object) -> object:
    """Let a single glob stand without brackets."""
    return (value,) if isinstance(value, str) else value


def json_values(value: object) -> object:
    """Return a table that JSON can express: TOML also has dates, times, infinities and NaN."""
    if isinstance(value, dict):
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise _refuse("expected only values that JSON has: no date, time, inf or nan") from None
    return value
