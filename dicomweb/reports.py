"""Structured Reports for people, from their metadata: HTML, and plain text (PS3.18 8.7.4, PS3.3 C.17.3).

What a report holds is text from outside: it is escaped, and the answer lets the browser run and load nothing.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Attributes = Mapping[str, Any]

HTML: Final = "text/html"
PLAIN: Final = "text/plain"
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
"""Content-Security-Policy of what is made here."""
_CONTENT: Final = "0040A730"
_DEEPEST: Final = 40
_HEAD: Final = (
    ("Patient", "00100010"),
    ("Patient ID", "00100020"),
    ("Birth date", "00100030"),
    ("Sex", "00100040"),
    ("Study date", "00080020"),
    ("Completion", "0040A491"),
    ("Verification", "0040A493"),
)
_TEXTS: Final = ("0040A160", "0040A123", "0040A121", "0040A122", "0040A120", "0040A124")
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}}
dt{{font-weight:600}}dd{{margin:0 0 .4rem 0}}ul{{padding-left:1.2rem}}</style></head>
<body><h1>{title}</h1><dl>{head}</dl>{content}</body></html>
"""


def is_report(attributes: Attributes) -> bool:
    """Whether the instance has a content tree."""
    return _CONTENT in attributes


def items_of(attributes: Attributes, tag: str) -> list[Attributes]:
    """Return the items of a sequence that are not empty; none of what has another VR than it should."""
    found = attributes.get(tag, {})
    values = found.get("Value", []) if found.get("vr") == "SQ" else []
    return [each for each in values if each]


def as_html(attributes: Attributes) -> bytes:
    """Return a report as a page."""
    head = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _heading(attributes)
    )
    content = "".join(_list_of(attributes, 0))
    title = escape(_title(attributes))
    return _PAGE.format(title=title, head=head, content=content).encode("utf-8", "replace")


def as_text(attributes: Attributes) -> bytes:
    """Return a report as text, indented by its nesting."""
    lines = [_title(attributes), ""]
    lines += [f"{name}: {text}" for name, text in _heading(attributes)]
    lines += ["", *_lines_of(attributes, 0)]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _title(attributes: Attributes) -> str:
    return _meaning(attributes, "0040A043") or "Report"


def _heading(attributes: Attributes) -> Iterator[tuple[str, str]]:
    for name, tag in _HEAD:
        text = _first(attributes, tag)
        if text:
            yield name, text


def _list_of(item: Attributes, depth: int) -> Iterator[str]:
    children = _children(item, depth)
    if children:
        yield "<ul>"
        for child in children:
            concept, value = _told(child)
            name = f"<b>{escape(concept)}</b>: " if concept else ""
            yield f"<li>{name}{escape(value)}"
            yield from _list_of(child, depth + 1)
            yield "</li>"
        yield "</ul>"


def _lines_of(item: Attributes, depth: int) -> Iterator[str]:
    for child in _children(item, depth):
        concept, value = _told(child)
        told = ": ".join(part for part in (concept, " ".join(value.split("\n"))) if part)
        yield f"{'  ' * depth}- {told}"
        yield from _lines_of(child, depth + 1)


def _children(item: Attributes, depth: int) -> list[Attributes]:
    return items_of(item, _CONTENT) if depth < _DEEPEST else []


def _told(item: Attributes) -> tuple[str, str]:
    """Return the concept of a content item and its value as text."""
    concept = _meaning(item, "0040A043")
    for measured in items_of(item, "0040A300")[:1]:
        unit = next(iter(items_of(measured, "004008EA")), {})
        return concept, f"{_first(measured, '0040A30A')} {_first(unit, '00080100')}".strip()
    coded = _meaning(item, "0040A168")
    if coded:
        return concept, coded
    for tag in _TEXTS:
        text = _first(item, tag)
        if text:
            return concept, text
    named = next(iter(items_of(item, "00081199")), None)
    return concept, "" if named is None else f"[{_first(named, '00081155')}]"


def _meaning(item: Attributes, tag: str) -> str:
    code = next(iter(items_of(item, tag)), None)
    return "" if code is None else _first(code, "00080104")


def _first(item: Attributes, tag: str) -> str:
    value = next(iter(item.get(tag, {}).get("Value", [])), None)
    if isinstance(value, dict):  # a person's name
        return str(value.get("Alphabetic") or next(iter(value.values()), ""))
    return "" if value is None else str(value)
