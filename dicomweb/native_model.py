"""The Native DICOM Model, in XML, from DICOM JSON and back (PS3.19 A.1, PS3.18 F.2).

What comes from outside may hold no document type declaration: entities are how small documents become large.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from dicomweb.dictionary import keyword_for_tag
from dicomweb.encodings import MAX_DEPTH
from dicomweb.errors import DescribeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Attributes = Mapping[str, Any]

NAMESPACE: Final = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
MOST_ATTRIBUTES: Final = 1_000_000
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_DEEPEST: Final = 2 * MAX_DEPTH + 6
"""Elements within each other: two for each sequence, and those of a person's name."""
_NUMBERS: Final = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})


def as_xml(attributes: Attributes) -> bytes:
    """Return a DICOM JSON object as a document."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
        f"{''.join(_attributes(attributes))}</NativeDicomModel>"
    ).encode("utf-8", "replace")


def _attributes(attributes: Attributes) -> Iterator[str]:
    for tag, attribute in attributes.items():
        creator = _creator(attributes, tag) if _is_private_value(tag) else ""
        keyword = keyword_for_tag(int(tag, 16))
        if creator:  # the block that this instance happens to have for it does not matter
            head = f'tag="{tag[:4]}00{tag[6:]}" privateCreator={quoteattr(creator)}'
        elif keyword:
            head = f"tag={quoteattr(tag)} keyword={quoteattr(keyword)}"
        else:
            head = f"tag={quoteattr(tag)}"
        content = "".join(_content(attribute))
        yield f"<DicomAttribute {head} vr={quoteattr(attribute['vr'])}>{content}</DicomAttribute>"


def _creator(attributes: Attributes, tag: str) -> str:
    """Return the private creator of an attribute, empty where none reserves its block."""
    values = attributes.get(f"{tag[:4]}00{tag[4:6]}", {}).get("Value", [])
    return values[0] if values and isinstance(values[0], str) else ""


def _is_private_value(tag: str) -> bool:
    return int(tag[:4], 16) % 2 == 1 and tag[4:6] != "00"


def _content(attribute: Mapping[str, Any]) -> Iterator[str]:
    if "BulkDataURI" in attribute:
        yield f"<BulkData uri={quoteattr(attribute['BulkDataURI'])}/>"
    if "InlineBinary" in attribute:
        yield f"<InlineBinary>{attribute['InlineBinary']}</InlineBinary>"
    for number, value in enumerate(attribute.get("Value", ()), start=1):
        if attribute["vr"] == "SQ":
            yield f'<Item number="{number}">{"".join(_attributes(value or {}))}</Item>'
        elif attribute["vr"] == "PN":
            yield f'<PersonName number="{number}">{"".join(_name(value or {}))}</PersonName>'
        elif value is None:
            yield f'<Value number="{number}"/>'
        else:
            yield f'<Value number="{number}">{_text(str(value))}</Value>'


def _name(value: Mapping[str, str]) -> Iterator[str]:
    for group in _GROUPS:
        if group in value:
            parts = zip(_COMPONENTS, value[group].split("^"), strict=False)
            inner = "".join(f"<{name}>{_text(part)}</{name}>" for name, part in parts if part)
            yield f"<{group}>{inner}</{group}>"


def _text(text: str) -> str:
    """Return character data; characters that no XML document may hold become U+FFFD."""
    clean = "".join(c if c >= " " or c in "\t\n\r" else "\ufffd" for c in text)
    return escape(clean.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd"))


def from_xml(document: bytes) -> dict[str, Any]:
    """Return a document as a DICOM JSON object.

    Raises
    ------
    DescribeError
        If it is not such a document.
    """
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, LookupError, ValueError, TypeError) as error:
        raise DescribeError("not a document of the Native DICOM Model") from error
    return builder.root


class _Builder:
    """Gathers attributes; `_stack` has what is open, innermost last."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self._datasets: list[dict[str, Any]] = []
        self._attributes: list[dict[str, Any]] = []
        self._names: list[dict[str, list[str]]] = []
        self._group = ""
        self._text: list[str] = []
        self._depth = 0
        self._count = 0

    def refuse(self, *_told: object) -> None:
        raise DescribeError("a document type declaration")

    def start(self, name: str, given: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise DescribeError("nested too deep")
        self._text = []
        match name.rpartition(" ")[2]:
            case "NativeDicomModel":
                self._datasets.append(self.root)
            case "DicomAttribute":
                self._count += 1
                if self._count > MOST_ATTRIBUTES:
                    raise DescribeError("too many attributes")
                attribute: dict[str, Any] = {"vr": given["vr"]}
                key = given["tag"].upper()
                if "privateCreator" in given:
                    key = f"{key}{given['privateCreator']}"
                self._datasets[-1][key] = attribute
                self._attributes.append(attribute)
            case "Item":
                item: dict[str, Any] = {}
                self._attributes[-1].setdefault("Value", []).append(item)
                self._datasets.append(item)
            case "PersonName":
                self._names.append({})
            case "Alphabetic" | "Ideographic" | "Phonetic" as group:
                self._group = group
                self._names[-1][group] = [""] * len(_COMPONENTS)
            case "BulkData":
                self._attributes[-1]["BulkDataURI"] = given.get("uri") or given["uuid"]

    def characters(self, data: str) -> None:
        self._text.append(data)

    def end(self, name: str) -> None:
        self._depth -= 1
        local = name.rpartition(" ")[2]
        text = "".join(self._text)
        self._text = []
        if local == "DicomAttribute":
            self._attributes.pop()
        elif local in {"Item", "NativeDicomModel"}:
            _reserve_blocks(self._datasets.pop())
        elif local == "Value":
            attribute = self._attributes[-1]
            attribute.setdefault("Value", []).append(_value(attribute["vr"], text))
        elif local == "InlineBinary":
            self._attributes[-1]["InlineBinary"] = text
        elif local == "PersonName":
            groups = self._names.pop()
            value = {group: "^".join(parts).rstrip("^") for group, parts in groups.items()}
            self._attributes[-1].setdefault("Value", []).append(value or None)
        elif local in _COMPONENTS:
            self._names[-1][self._group][_COMPONENTS.index(local)] = text


def _reserve_blocks(dataset: dict[str, Any]) -> None:
    """Give private attributes that are named by their creator the tags of its block (PS3.5 7.8.1)."""
    named = [key for key in dataset if len(key) > len("ggggeeee")]
    if not named:
        return
    blocks: dict[tuple[str, str], str] = {}
    for key, attribute in dataset.items():
        if len(key) == 8 and key[4:6] == "00" and int(key[:4], 16) % 2:
            for creator in attribute.get("Value", [])[:1]:
                blocks[key[:4], str(creator)] = key[6:]
    for key in named:
        group, element, creator = key[:4], key[6:8], key[8:]
        block = blocks.get((group, creator))
        if block is None:
            taken = {each for (of, _), each in blocks.items() if of == group}
            block = next(f"{n:02X}" for n in range(0x10, 0x100) if f"{n:02X}" not in taken)
            blocks[group, creator] = block
            dataset[f"{group}00{block}"] = {"vr": "LO", "Value": [creator]}
        dataset[f"{group}{block}{element}"] = dataset.pop(key)
    ordered = sorted(dataset.items())
    dataset.clear()
    dataset.update(ordered)


def _value(vr: str, text: str) -> str | float | int | None:
    """Return a value as JSON has it; what is no number stays text."""
    if not text:
        return None
    if vr not in _NUMBERS or vr == "DS":
        return text
    try:
        return float(text) if vr in {"FD", "FL"} else int(text)
    except ValueError:
        return text
