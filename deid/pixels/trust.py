"""Objects that are not trusted even after text was removed: screens, scans, labels.

A screenshot of a PACS work list, a scanned referral or the label of a glass slide can identify by
more than the text that a detector finds. The table says which objects these are; a site can add to
it, take away from it, or set the whole class to be cleaned like any other.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from deid.errors import ConfigurationInvalid, Reason, Unsafe


@dataclass(frozen=True, slots=True)
class Untrusted:
    """One row: an instance fits when every pattern that is not empty does.

    Attributes
    ----------
    name
        What kind of object it is, in words.
    sop_class_uid, modality, conversion_type
        Globs on (0008,0016), (0008,0060), (0008,0064).
    image_type
        A glob on any one value of (0008,0008).
    reason
        The code it is quarantined with.
    """

    name: str
    sop_class_uid: str = ""
    modality: str = ""
    conversion_type: str = ""
    image_type: str = ""
    reason: Reason = Reason.SCREEN_CAPTURE

    def fits(self, attributes: Mapping[str, Any]) -> bool:
        """Whether an instance with these attributes is of that kind."""
        wanted = (
            (self.sop_class_uid, "SOPClassUID"),
            (self.modality, "Modality"),
            (self.conversion_type, "ConversionType"),
            (self.image_type, "ImageType"),
        )
        return all(
            not pattern
            or any(fnmatch.fnmatchcase(value, pattern) for value in _values(attributes, key))
            for pattern, key in wanted
        )


#: PS3.4 B.5 (SOP classes; hardcopies are retired), PS3.3 C.7.3.1.1.1 (modalities), C.8.6.1 (conversion types).
UNTRUSTED: tuple[Untrusted, ...] = (
    Untrusted(
        "Encapsulated document", "1.2.840.10008.5.1.4.1.1.104.*", reason=Reason.DOCUMENT_NOT_CLEANED
    ),
    Untrusted("Secondary capture", "1.2.840.10008.5.1.4.1.1.7"),
    Untrusted("Multi-frame single-bit secondary capture", "1.2.840.10008.5.1.4.1.1.7.1"),
    Untrusted("Multi-frame greyscale byte secondary capture", "1.2.840.10008.5.1.4.1.1.7.2"),
    Untrusted("Multi-frame greyscale word secondary capture", "1.2.840.10008.5.1.4.1.1.7.3"),
    Untrusted("Multi-frame true colour secondary capture", "1.2.840.10008.5.1.4.1.1.7.4"),
    Untrusted("Hardcopy greyscale image", "1.2.840.10008.5.1.1.29"),
    Untrusted("Hardcopy colour image", "1.2.840.10008.5.1.1.30"),
    Untrusted("Workstation screen", conversion_type="WSD"),
    Untrusted("Scanned document", conversion_type="SD"),
    Untrusted("Scanned image", conversion_type="SI"),
    Untrusted("Drawing", conversion_type="DRW"),
    Untrusted("Document modality", modality="DOC"),
    Untrusted("Screen saved by the modality", image_type="SCREEN SAVE"),
    Untrusted("Dose report screen", image_type="DOSE_INFO"),
    Untrusted("Slide label", "1.2.840.10008.5.1.4.1.1.77.1.*", image_type="LABEL"),
    Untrusted("Slide overview", "1.2.840.10008.5.1.4.1.1.77.1.*", image_type="OVERVIEW"),
)


_OF_A_SITE: Final = "Site: "  # before the name of a row that a site added


def trust_table(
    trusted: Sequence[str] = (), untrusted: Mapping[str, Sequence[str]] | None = None
) -> tuple[Untrusted, ...]:
    """Return the table with a site's changes.

    Parameters
    ----------
    trusted
        Globs on names of rows that are left out, whatever their case.
    untrusted
        More rows: field of `Untrusted` to globs, each of which is a row of its own.

    Raises
    ------
    ConfigurationInvalid
        When a glob names no row.
    """
    globs = [glob.lower() for glob in trusted]
    names = [row.name.lower() for row in UNTRUSTED]
    problems = [
        f"no object has a name like {shown!r}: {', '.join(row.name for row in UNTRUSTED)}"
        for shown, glob in zip(trusted, globs, strict=True)
        if not fnmatch.filter(names, glob)
    ]
    if problems:
        raise ConfigurationInvalid(problems)
    kept = [
        row
        for row in UNTRUSTED
        if not any(fnmatch.fnmatchcase(row.name.lower(), glob) for glob in globs)
    ]
    more = [
        replace(Untrusted(f"{_OF_A_SITE}{key}"), **dict[str, Any]({key: glob.upper()}))
        for key, values in (untrusted or {}).items()
        for glob in values
    ]
    return (*kept, *more)


def refuse_untrusted(attributes: Mapping[str, Any], table: Sequence[Untrusted] = UNTRUSTED) -> None:
    """Raise for an object that the table names.

    Raises
    ------
    Unsafe
        With the reason of the first row that fits; `where` names the rows that fit, and the setting
        that would let the object pass.
    """
    fitting = [row for row in table if row.fits(attributes)]
    if not fitting:
        return
    ours = [row.name for row in fitting if not row.name.startswith(_OF_A_SITE)]
    sites = [row.name.removeprefix(_OF_A_SITE) for row in fitting if row.name not in ours]
    where = []
    if ours:
        where.append("pixels.trusted lacks " + ", ".join(f'"{name}"' for name in ours))
    if sites:
        where.append("pixels.untrusted names its " + ", ".join(dict.fromkeys(sites)))
    raise Unsafe(fitting[0].reason, "; ".join(where))


def _values(attributes: Mapping[str, Any], keyword: str) -> list[str]:
    value = attributes.get(keyword)
    if value is None:
        return []
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [str(part).strip().upper() for part in value]
    return [part.strip().upper() for part in str(value).split("\\")]
