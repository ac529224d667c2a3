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
from deid.configuration.explain_resources import Field, fields, resource_sentences, type_lines
from deid.configuration.explain_sections import Section, sections_for_dicom
from deid.configuration.leniencies import sentence
from deid.tables.fhir import FHIR_EDITION
from deid.tables.load import (
    EDITION,
    confidentiality_rows,
)
from deid.tags.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole, as sections, elements, fields of resources and warnings.

    Without elements where DICOM is not covered, and without fields where FHIR is not.
    """

    covers: frozenset[Coverage]
    sections: tuple[Section, ...]
    elements: tuple[Element, ...]
    warnings: tuple[str, ...]
    fields: tuple[Field, ...] = ()

    def lines(self) -> list[str]:
        """Return the explanation as lines of text."""
        lines: list[str] = []
        for section in self.sections:
            lines += [section.title, *(f"  {sentence}" for sentence in section.sentences), ""]
        if self.elements:
            lines.append(f"Element by element (PS3.15 Table E.1-1, {EDITION}; as in a CT image)")
            lines += [f"  {element.line()}" for element in self.elements]
            lines.append("")
        if self.fields:
            lines.append(
                f"Resource by resource (FHIR {FHIR_EDITION}; what is not listed goes by its type)"
            )
            lines += [f"  {field.line()}" for field in self.fields if field.by_path]
            lines += [f"  {line}" for line in type_lines(self.fields)]
            lines.append("")
        return lines[:-1]

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
            "fields": [
                {
                    "path": field.path,
                    "type": field.type,
                    "kind": field.kind,
                    "saying": field.saying,
                }
                for field in self.fields
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
    resources: tuple[Field, ...] = ()
    sections = [Section("What it covers", tuple(_covered(parsed)))]
    if Coverage.DICOM in parsed.covers:
        rules = Rules(parsed.tags)
        elements = tuple(explained(row, rules, parsed) for row in confidentiality_rows())
        sections += sections_for_dicom(parsed, rules)
    if parsed.fhir is not None:
        resources = fields(parsed.fhir)
        sections.append(Section("Resources", tuple(resource_sentences(parsed.fhir))))
    if parsed.warnings:
        understood = tuple(sentence(warning) for warning in parsed.warnings)
        sections.append(Section("How your configuration was understood", understood))
    return Explanation(parsed.covers, tuple(sections), elements, parsed.warnings, resources)


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
