"""The documents name every field, code and kind that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config import presets
from deid.configuration.leniencies import LENIENCIES
from deid.configuration.proto_json import ENUMS, MESSAGES, TAG_VERBS, TRANSFORMATIONS
from deid.text.info_types import ALIASES, INFO_TYPES

DOCS = Path(__file__).parents[2] / "docs"
CONFIGURATION = (DOCS / "configuration-deid.md").read_text(encoding="utf-8")
TEXT = (DOCS / "text.md").read_text(encoding="utf-8")
SOURCES = sorted((Path(__file__).parents[2] / "deid" / "configuration").glob("*.py"))


@pytest.mark.parametrize(
    "name",
    [
        *(
            field
            for message in ("DeidentifyRequest", "DeidentifyConfig", "DicomConfig", "DicomTagConfig", "Options",
                            "ImageConfig", "TextConfig", "Dicomveil")
            for field in MESSAGES[message]
        ),
        *TAG_VERBS,
        *TRANSFORMATIONS,
        *ENUMS["Option"],
        *ENUMS["TagFilterProfile"],
        *(name.removeprefix("@") for name in ENUMS["TextRedactionMode"][1:]),
        *presets.names(),
        *LENIENCIES,
    ],
)  # fmt: skip
def test_the_configuration_document_names_it(name: str) -> None:
    assert name in CONFIGURATION


@pytest.mark.parametrize("name", [*INFO_TYPES, *ALIASES])
def test_the_text_document_names_every_kind(name: str) -> None:
    assert name in TEXT


def test_every_warning_that_is_given_is_explained() -> None:
    texts = [source.read_text(encoding="utf-8") for source in SOURCES]
    given = re.findall(r'\.warn\(\s*"(\w+)"', "".join(texts))
    assert given
    assert set(given) == set(LENIENCIES)
