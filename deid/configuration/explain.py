"""What a configuration will do, in words that a data-protection officer reads, element by element.

Nothing here decides anything: every sentence about an element is asked from the same rules that the
engine looks up, for the top level of a CT image, with a note where other kinds of object differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deid.configuration.coverage import DICOM_SECTIONS, FHIR_SECTIONS, Coverage
from deid.configuration.document import Parsed, parse_configuration
from deid.configuration.explain_elements import Element, explained
from deid.configuration.explain_sections import Section, sections_for_dicom
from deid.configuration.leniencies import sentence
from deid.tables.load import (
    EDITION,
    confidentiality_rows,
)
from deid.tags.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole, as sections, elements and warnings; without elements where DICOM is not covered."""

    covers: frozenset[Coverage]
    sections: tuple[Section, ...]
    elements: tuple[Element, ...]
    warnings: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the explanation as lines of text."""
        lines: list[str] = []
        for section in self.sections:
            lines += [section.title, *(f"  {sentence}" for sentence in section.sentences), ""]
        if not self.elements:
            return lines[:-1]
        lines.append(f"Element by element (PS3.15 Table E.1-1, {EDITION}; as in a CT image)")
        lines += [f"  {element.line()}" for element in self.elements]
        return lines

    def document(self) -> dict[str, Any]:
        """Return the explanation for machines."""
        return {
            "edition": EDITION,
            "covers": sorted(self.covers),
            "sections": [
                {"title": section.title, "sentences": list(section.sentences)}
                for section in self.sections
            ],
            "elements": [
                {
                    "tag": element.tag,
                    "name": element.name,
                    "keyword": element.keyword,
                    "action": element.action,
                    "fallback": element.fallback or None,
                    "saying": element.saying,
                    "elsewhere": [
                        {"saying": saying, "kinds": count} for saying, count in element.elsewhere
                    ],
                }
                for element in self.elements
            ],
            "warnings": list(self.warnings),
        }


def explain(configuration: Mapping[str, Any], version: str | None = None) -> Explanation:
    """Explain a configuration.

    Raises
    ------
    ConfigurationInvalid
        As `deid.configuration.document.parse_configuration`, or when a certificate cannot be used.
    """
    parsed = parse_configuration(configuration, version)
    if parsed.certificates:
        from deid.tags.encrypted import load_certificates  # noqa: PLC0415 - slow to import

        load_certificates(parsed.certificates)
    elements: tuple[Element, ...] = ()
    sections = [Section("What it covers", tuple(_covered(parsed)))]
    if Coverage.DICOM in parsed.covers:
        rules = Rules(parsed.tags)
        elements = tuple(explained(row, rules, parsed) for row in confidentiality_rows())
        sections += sections_for_dicom(parsed, rules)
    if parsed.warnings:
        understood = tuple(sentence(warning) for warning in parsed.warnings)
        sections.append(Section("How your configuration was understood", understood))
    return Explanation(parsed.covers, tuple(sections), elements, parsed.warnings)


def _covered(parsed: Parsed) -> Iterator[str]:
    """Yield each kind of data and what becomes of it, covered or not."""
    for kind, sections, data in (
        (Coverage.DICOM, DICOM_SECTIONS, "DICOM instances"),
        (Coverage.FHIR, FHIR_SECTIONS, "FHIR resources"),
    ):
        if kind in parsed.covers:
            yield f"{data} are covered."
        else:
            yield (
                f"{data} are not covered, as there is neither {' nor '.join(sections)}: they are put aside as"
                " not_configured."
            )
