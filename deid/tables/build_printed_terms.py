"""Build `printed_terms.csv`: defined terms and enumerated values of PS3.3, by attribute where that is known.

A development script, which reads what three packages carry of the standard:
``python -m deid.tables.build_printed_terms LIST DCIODVFY PART3 > deid/tables/printed_terms.csv``.

- LIST: a table (keyword, terms separated by backslashes) of an open checker's lists by attribute.
- DCIODVFY: the program of Debian's dicom3tools. Its lists of terms are compiled in as arrays of pairs of
  strings (term, meaning); which attribute one belongs to is lost. Needs ``readelf``.
- PART3: ``Part3.xml`` of Debian's libgdcm3.0, the modules of PS3.3 2008 with their descriptions.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

if TYPE_CHECKING:
    from collections.abc import Iterator

_RELATIVE = re.compile(
    r"^([0-9a-f]{16})\s+[0-9a-f]{16}\s+R_X86_64_RELATIVE\s+([0-9a-f]+)", re.MULTILINE
)
_SECTION = re.compile(r"\]\s+\.\S+\s+\S+\s+([0-9a-f]{16})\s+([0-9a-f]+)\s+([0-9a-f]+)\s")
_CODE_STRING = re.compile(r"(?=.*[A-Z])[A-Z0-9_ ]{1,16}\Z")
_HEADING = re.compile(r"(Defined Terms?|Enumerated Values?)[^:.\n]*:", re.IGNORECASE)
_TERM = re.compile(r"([A-Z0-9][A-Z0-9_]*(?: [A-Z0-9_]+)*)(?=\s*(?:=|$|\(|\t|- |or\b|:))")
_MANGLED = re.compile(r"\d+(Module|Macro|CompositeIOD)_")
_MOST = 64


def compiled_terms(path: Path) -> set[str]:
    """Return the code strings in the checker's arrays of pairs."""
    content = path.read_bytes()
    sections = [
        (int(at, 16), int(offset, 16), int(size, 16))
        for at, offset, size in _SECTION.findall(_readelf("-SW", path))
        if int(at, 16)
    ]
    pointers = {int(at, 16): int(to, 16) for at, to in _RELATIVE.findall(_readelf("-rW", path))}

    def string(address: int) -> str | None:
        for at, offset, size in sections:
            if at <= address < at + size:
                start = address - at + offset
                raw = content[start : content.index(b"\x00", start)]
                is_text = len(raw) <= _MOST and all(32 <= byte < 127 for byte in raw)
                return raw.decode("ascii") if is_text else None
        return None

    found: set[str] = set()
    for first in pointers:
        if first - 8 in pointers:
            continue
        run = []
        at = first
        while at in pointers:
            run.append(string(pointers[at]))
            at += 8
        if len(run) % 2 == 0 and None not in run:
            found.update(term for term in run[::2] if term and _CODE_STRING.match(term))
    return {term for term in found if not _MANGLED.match(term)}


def _readelf(option: str, path: Path) -> str:
    command = ("readelf", option, str(path))
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603


def described_terms(path: Path) -> Iterator[tuple[int, str]]:
    """Yield tag and term of code strings, from lists and from descriptions that name their terms."""
    for entry in ET.parse(path).getroot().iter("entry"):  # noqa: S314 - a package's own file
        try:
            tag = int(entry.attrib["group"] + entry.attrib["element"], 16)
            vr = dictionary_VR(tag)
        except (KeyError, ValueError):
            continue
        if vr != "CS":
            continue
        listed = [
            re.split(r"\s*=|\t|\(", each.get("value", ""))[0].strip() for each in entry.iter("term")
        ]
        for description in entry.iter("description"):
            text = "".join(description.itertext())
            heading = _HEADING.search(text)
            lines = re.split(r"[\n,;]", text[heading.end() :]) if heading else []
            listed += [term[1] for line in lines if (term := _TERM.match(line.strip()))]
        yield from ((tag, term) for term in listed if _CODE_STRING.match(term))


def main() -> None:
    """Print the table: by attribute, then the terms of which no attribute is known."""
    listing, checker, modules = map(Path, sys.argv[1:4])
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("tag", "keyword", "terms", "origin"))
    with listing.open(newline="", encoding="utf-8") as file:
        rows = {
            tag_for_keyword(row["keyword"]) or 0: row["terms"].split("\\")
            for row in csv.DictReader(file)
        }
    described: dict[int, set[str]] = defaultdict(set)
    for tag, term in described_terms(modules):
        described[tag].add(term)
    for origin, table in (("dicom3tools, 2026", rows), ("GDCM 3.0.21 of PS3.3 2008", described)):
        for tag, terms in sorted(table.items()):
            written = ";".join(sorted(set(terms) - {""}))
            writer.writerow((f"{tag:08X}", keyword_for_tag(tag), written, origin))
    everywhere = ";".join(sorted(compiled_terms(checker)))
    writer.writerow(("", "", everywhere, "dicom3tools 1.00~20240118131615"))


if __name__ == "__main__":
    main()
