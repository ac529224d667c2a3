"""Build the tables of names from the pydicom that is installed.

A development script: ``python -m deid.tables.build_dictionary`` writes `attributes.csv`,
`private_attributes.csv`, `uids.csv`, `concepts.csv` and `standard_words.txt` beside itself. Attributes and UIDs
that the tables have and pydicom does not know (those of later editions) stay; `build_newer` adds them.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._private_dict import private_dictionaries
from pydicom._uid_dict import UID_dictionary
from pydicom.sr._concepts_dict import concepts

from deid.tables import dictionary
from deid.tables.dictionary import ATTRIBUTE_COLUMNS, UID_COLUMNS, standard_words_of, uids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FOLDER: Final = Path(__file__).parent


def attributes() -> Iterator[tuple[str, ...]]:
    """Yield the rows of PS3.6 and PS3.7; those of repeating groups have ``x`` in their tags."""
    for tag, entry in DicomDictionary.items():
        yield (f"{tag:08x}", *entry)
    for mask, entry in RepeatersDictionary.items():
        yield (mask.lower(), *entry)
    for tag, known in dictionary.attributes().items():
        if tag not in DicomDictionary:
            yield (f"{tag:08x}", *known)


def private_attributes() -> Iterator[tuple[str, ...]]:
    """Yield private creator, tag (``0019xx10``: ``xx`` is the block) and VR."""
    for creator, block in private_dictionaries.items():
        for tag, entry in block.items():
            yield creator, tag, entry[0]


def registered_uids() -> Iterator[tuple[str, ...]]:
    """Yield the rows of PS3.6 Annex A: pydicom's, and after them what only the table has."""
    for uid, entry in UID_dictionary.items():
        yield (uid, *entry)
    for uid, known in uids().items():
        if uid not in UID_dictionary:
            yield (uid, *known)


def coded_concepts() -> list[tuple[str, str, str]]:
    """Return scheme, code value and meaning of the concepts of PS3.16, sorted, each once."""
    schemes: dict[str, dict[str, dict[str, tuple[str, list[int]]]]] = concepts  # type: ignore[assignment]
    return sorted(
        {
            (scheme, code, meaning)
            for scheme, named in schemes.items()
            for codes in named.values()
            for code, (meaning, _cids) in codes.items()
        }
    )


def standard_words() -> list[str]:
    """Return the words of names and meanings, sorted."""
    return sorted(
        standard_words_of(
            ((entry[2], entry[4]) for entry in DicomDictionary.values()),
            (meaning for _scheme, _code, meaning in coded_concepts()),
            ((creator, [e[2] for e in block.values()]) for creator, block in private_dictionaries.items()),
        )
    )  # fmt: skip


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV text with a heading."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def main() -> None:
    """Write the files."""
    texts = {
        "attributes.csv": table(ATTRIBUTE_COLUMNS, attributes()),
        "private_attributes.csv": table(("creator", "tag", "vr"), private_attributes()),
        "uids.csv": table(UID_COLUMNS, registered_uids()),
        "concepts.csv": table(("scheme", "code", "meaning"), coded_concepts()),
        "standard_words.txt": "\n".join(standard_words()) + "\n",
    }
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
