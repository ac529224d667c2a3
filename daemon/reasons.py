"""Every reason code that operators see: what it means and what to do about it.

The codes themselves stand where they arise (`deid.errors.Reason`, `daemon.workers.reasons`,
`daemon.store.settling`, `daemon.receive`); ``docs/reasons.md`` prints this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Advice:
    """What a reason code says, in one sentence each.

    Attributes
    ----------
    means
        What was found.
    then
        What the operator can do.
    by_hand
        Whether pixels alone are the cause, so that a person who has seen them may release it.
    """

    means: str
    then: str
    by_hand: bool = False


_SEND_AGAIN: Final = "Send it again from where it is whole; discard this one."
_MISFORMED: Final = "Have the sender repair or export it anew; discard this one."
_ARCHIVE: Final = "Unpack it yourself and put the files in."

REASONS: Final[Mapping[str, Advice]] = {
    # What the de-identifier refuses.
    "not_dicom": Advice(
        "Neither a DICOM file (PS3.10) nor a bare data set, though it came as one.",
        "Nothing, if it never was one; else send it again.",
    ),
    "not_configured": Advice(
        "A kind of data that its deidentifier does not cover: for DICOM, its configuration has neither `dicom`"
        " nor `dicomTagConfig`; for FHIR, neither `fhir` nor `fhirFieldConfig`.",
        "Add the section, or route it to a deidentifier that covers it (`dicomveil explain` says what each"
        " covers); retry.",
    ),
    "dicomdir": Advice(
        "The directory of a medium: names and paths without an instance.",
        "Nothing: the instances beside it are taken by themselves.",
    ),
    "truncated": Advice(
        "It ends in the middle of an element or a sequence; or, as JSON, in the middle of a value.",
        _SEND_AGAIN,
    ),
    "length_past_end": Advice(
        "An element says that it is longer than what is there; often a transfer was cut off.",
        _SEND_AGAIN,
    ),
    "nesting_too_deep": Advice(
        "Sequences in sequences, more than 32 deep; in JSON, values in values more than 64 deep.",
        _MISFORMED,
    ),
    "malformed": Advice(
        "It breaks the encoding of PS3.5, or what JSON and FHIR allow, where `where` says.",
        _MISFORMED,
    ),
    "transfer_syntax_unknown": Advice(
        "The file names no transfer syntax, or one that the standard does not have.", _MISFORMED
    ),
    "transfer_syntax_mismatch": Advice("The data set is not encoded as the file says.", _MISFORMED),
    "inflate_limit": Advice(
        "A deflated data set that unfolds beyond 512 MiB, or a file of resources beyond `fhir.max_file_bytes`; "
        "or either to more than 200 times its size.",
        _MISFORMED,
    ),
    "missing_identity": Advice(
        "No usable SOP class, or study, series or instance UID.", _MISFORMED
    ),
    "no_study": Advice(
        "Its class has neither patient nor study: a colour palette, a hanging protocol, an implant template, a "
        "protocol, an inventory. Stores are kept by study.",
        "De-identify it with `dicomveil deid` if it is wanted; discard it here.",
    ),
    "sop_class_unknown": Advice(
        "A SOP class that the standard does not register, so that nothing says what it may hold.",
        'Set `"unknownSopClass": "pass"` in the deidentifier if you know the class; retry.',
    ),
    "pixels_not_cleaned": Advice(
        "Text is likely in its pixels (`where` says what tells so) and they were not, or could not "
        "be, cleaned.",
        "Route it to a deidentifier that cleans pixels, such as `research`; retry. Or look at it, and release"
        " it with boxes drawn by hand (`dicomveil quarantine release`). What has no pixels, such as a document,"
        " passes with `burnedIn: pass` only.",
        by_hand=True,
    ),
    "pixels_undecodable": Advice(
        "The pixel data cannot be the picture that its header tells of; or they were to be cleaned, and "
        "a frame cannot be decoded.",
        "Have the sender convert it to another transfer syntax; or look at it and discard it.",
    ),
    "video_not_cleaned": Advice(
        "A video whose pixels were to be cleaned.",
        "Install PyAV (docs/pixels.md, Engines); retry.",
    ),
    "screen_capture": Advice(
        "A screen, scan or label: it identifies by more than text that can be found. `where` says which names.",
        "Name it under `[pixels] trusted` if yours are harmless; retry. Else look at it, and release it with"
        " boxes drawn by hand (`dicomveil quarantine release`), or discard it.",
        by_hand=True,
    ),
    "too_much_text": Advice(
        "What would be filled covers more of what the picture shows than the ceiling allows: it is mostly"
        " text, or something was taken for text. `where` has the frame, the share, and the regions.",
        "Look at it (`dicomveil quarantine show`, `dicomveil regions`); raise `[pixels] most_filled` for its"
        " modality if it is to be filled, and retry. Else release it with boxes drawn by hand"
        " (`dicomveil quarantine release`), or discard it.",
        by_hand=True,
    ),
    "document_not_cleaned": Advice(
        "A document (PDF, CDA, STL...) that the configuration would keep, and nothing cleans.",
        "Route it to `basic`, which leaves an empty document in its place; retry.",
    ),
    "not_fhir": Advice(
        "JSON without a resource type of FHIR, though it came as a resource.",
        "Nothing, if it never was one; else send it again.",
    ),
    "resource_not_listed": Advice(
        "A type of resource that is not passed on: it tells of systems and people rather than of a patient's"
        " health (AuditEvent, Provenance, Subscription ...), or FHIR R4 does not have it.",
        "Discard it; nothing is missing without it.",
    ),
    "character_encoding": Advice(
        "JSON that is not Unicode throughout: neither UTF-8 nor UTF-16 with a byte order mark, or half a"
        " character.",
        _MISFORMED,
    ),
    "duplicate_name": Advice(
        "JSON with a name twice in one object: readers take one or the other.", _MISFORMED
    ),
    "number_refused": Advice(
        "JSON with a number that is none of FHIR's (NaN), or that readers round: longer than 18 digits as a"
        " whole number, 40 characters as a decimal, or beyond 299 in its exponent.",
        _MISFORMED,
    ),
    "residual_identifier": Advice(
        "An identifier was still found in the finished result, where `where` says; or a number there that looks"
        " issued says how samples lie or what was measured, and no dummy may stand in its place.",
        "Report the place: our rules miss it. A wrong number can be corrected at the source; else `deleteTag`"
        " may name the element.",
    ),
    # What the pipeline and the stores put aside.
    "worker_timeout": Advice(
        "Processing took more CPU than `[workers]` allows, or stood still, in every attempt.",
        "Raise `workers.timeout_s`, `timeout_per_mb_s` or `timeout_per_megapixel_s`; retry.",
    ),
    "worker_memory": Advice(
        "Processing needed more memory than `workers.memory_bytes`.",
        "Raise it if the machine has more; retry.",
    ),
    "worker_crashed": Advice(
        "The process ended by itself, in every attempt: a hostile or damaged file.",
        "Retry once; then report it with its transfer syntax.",
    ),
    "internal_error": Advice(
        "A bug of ours; `where` says the type of the error and the place in the code.",
        "Report what `where` says; retry after an update.",
    ),
    "too_many_identifiers": Advice(
        "More identifiers are known of its study than a worker can be told (16384), so that its text cannot be"
        " cleaned of all of them.",
        "See whether one study UID was given to many patients; route it to a deidentifier that removes text"
        " instead of cleaning it; retry.",
    ),
    "deidentifier_gone": Advice(
        "A person sent it to a deidentifier that the configuration does not have any more.",
        "Retry it with `--deidentifier`, or with `--as-configured` by its route.",
    ),
    "source_missing": Advice(
        "The received file had gone from the spool.", "Run `dicomveil fsck`; send it again."
    ),
    "blob_missing": Advice(
        "The database has it and the disk does not.",
        "Put back the folder that it lay in, if that was not mounted or restored, and start the service or run"
        " `dicomveil fsck --repair`; else send it again.",
    ),
    "conflict": Advice(
        "Its SOP Instance UID is known already with other content (in `deid`: the same output "
        "name). A sender that compresses with loss does that, too.",
        "Compare both. `[source] conflict` may keep the first or the last; retry.",
    ),
    "sidecar_conflict": Advice(
        "A FHIR resource that belongs to one patient's study by one thing it says and to another's by another;"
        " `where` names both sides by a receipt of each study.",
        "Have its sender say which; update it at `/fhir/source`, and it is looked at again.",
    ),
    "sidecar_versions": Advice(
        "A FHIR resource that came twice, under one type and id, with different content, and neither says that"
        " it is the later one (`meta.lastUpdated`, else `issued` of a report or an observation, else a number"
        " in `meta.versionId`), or they tell of different people or studies. Both are versions in the source."
        " In folders an earlier version beside a later one is passed over, where each is a file of its own: in"
        " a Bundle or NDJSON every version stays where it stood.",
        "Update it at `/fhir/source` with what holds; where two systems count alike, give the resources of one"
        " other ids.",
    ),
    "unassociated": Advice(
        "A FHIR resource that no study was found for in `[fhir] unassociated_after_s`.",
        "Nothing, if its study is still to come: it is looked at again then. Else delete it at `/fhir/source`.",
    ),
    # What no door acknowledges; a watched folder puts it into `.refused`.
    "data_set_empty": Advice("File Meta Information, and nothing behind it.", _SEND_AGAIN),
    "file_meta_in_data_set": Advice(
        "An element of group 0002, or a whole file, stands where the data set should.", _MISFORMED
    ),
    "sop_class_uid_missing": Advice("No SOP Class UID (0008,0016).", _MISFORMED),
    "sop_class_uid_invalid": Advice("SOP Class UID (0008,0016) is not a UID.", _MISFORMED),
    "sop_instance_uid_missing": Advice("No SOP Instance UID (0008,0018).", _MISFORMED),
    "sop_instance_uid_invalid": Advice("SOP Instance UID (0008,0018) is not a UID.", _MISFORMED),
    "study_instance_uid_missing": Advice("No Study Instance UID (0020,000D).", _MISFORMED),
    "study_instance_uid_invalid": Advice(
        "Study Instance UID (0020,000D) is not a UID.", _MISFORMED
    ),
    "series_instance_uid_missing": Advice("No Series Instance UID (0020,000E).", _MISFORMED),
    "series_instance_uid_invalid": Advice(
        "Series Instance UID (0020,000E) is not a UID.", _MISFORMED
    ),
    "sop_class_uid_mismatch": Advice(
        "The data set is of another SOP class than its File Meta Information, or the request, says.",
        _MISFORMED,
    ),
    "sop_instance_uid_mismatch": Advice(
        "The data set has another SOP Instance UID than its File Meta Information, or the request, says.",
        _MISFORMED,
    ),
    # What watched folders, archives and `deid` set aside before that.
    "symbolic_link": Advice(
        "A link; what it points at is not followed.", "Put in the file itself."
    ),
    "not_regular": Advice("A pipe, socket, device or link.", "Put in the file itself."),
    "too_large": Advice(
        "Larger than `watch[].max_file_bytes`, or an entry of an archive that is.",
        "Raise the limit; put it in again.",
    ),
    "unreadable": Advice(
        "It could not be read: no permission, or a failing disk.",
        "Give dicomveil's user the right to read it; put it in again.",
    ),
    "unwritable": Advice(
        "An export could not make its file: something else has its name, or that of a folder above it.",
        "Remove that, or export into another folder.",
    ),
    "archive_broken": Advice("The zip archive is damaged or cut off.", "Put it in again, whole."),
    "archive_too_many_entries": Advice("More entries than an archive may have.", _ARCHIVE),
    "archive_bomb": Advice("It unfolds to far more than its size.", _ARCHIVE),
    "archive_encrypted": Advice("The entry is encrypted.", _ARCHIVE),
    "archive_method": Advice("The entry is compressed in a way that is not read.", _ARCHIVE),
    "archive_nested": Advice("An archive in an archive.", _ARCHIVE),
    "archive_not_read": Advice(
        "A packed file of a kind that is not read (7z, RAR, bzip2, xz, ...), so nobody knows what is in it.",
        _ARCHIVE,
    ),
}


_STORE_ANEW: Final = (
    "Store it again from where it is whole, in place of what the source has; then begin another"
    " operation."
)
_STORE_REPAIRED: Final = (
    "Have the sender repair or export it anew, and store that in place of what the source has; then begin"
    " another operation."
)
_ANOTHER: Final[Mapping[str, str]] = {_SEND_AGAIN: _STORE_ANEW, _MISFORMED: _STORE_REPAIRED}
"""Of reasons that share a remedy."""
OF_OPERATIONS: Final[Mapping[str, str]] = {
    "not_configured": "Begin another operation whose configuration has the section.",
    "no_study": "De-identify it with `dicomveil deid` if it is wanted.",
    "sop_class_unknown": 'Begin another operation with `"unknownSopClass": "pass"` if you know the class.',
    "pixels_not_cleaned": "Begin another operation whose configuration cleans pixels, such as that of the"
    " preset `research`. What has no pixels, such as a document, passes with `burnedIn: pass` only.",
    "pixels_undecodable": "Have the sender convert it to another transfer syntax, and store that in place of"
    " what the source has; then begin another operation.",
    "video_not_cleaned": "Install PyAV (docs/pixels.md, Engines); begin another operation.",
    "screen_capture": "Name it under `[pixels] trusted` if yours are harmless; begin another operation.",
    "too_much_text": "Raise `[pixels] most_filled` for its modality if it is to be filled; begin another"
    " operation.",
    "document_not_cleaned": "Begin another operation with a configuration that leaves an empty document in"
    " its place, such as that of the preset `basic`.",
    "resource_not_listed": "Nothing is missing without it.",
    "worker_timeout": "Raise `workers.timeout_s`, `timeout_per_mb_s` or `timeout_per_megapixel_s`; begin"
    " another operation.",
    "worker_memory": "Raise `workers.memory_bytes` if the machine has more; begin another operation.",
    "worker_crashed": "Begin another operation, once; then report it with its transfer syntax.",
    "internal_error": "Report what `where` says; begin another operation after an update.",
    "too_many_identifiers": "See whether one study UID was given to many patients; begin another operation"
    " with a configuration that removes text instead of cleaning it.",
    "deidentifier_gone": "Begin another operation.",
    "conflict": "The destination has it with other content: begin another operation into a store that is"
    " empty.",
}
"""What can be done about what an operation refused: no decision in the quarantine changes what it does."""


def remedy_of_operation(code: str) -> str:
    """Return what can be done where an operation refused something; empty for what is not a known reason."""
    advice = REASONS.get(code)
    if advice is None:
        return ""
    return OF_OPERATIONS.get(code) or _ANOTHER.get(advice.then, advice.then)


def remedies(counts: Mapping[str, int]) -> list[str]:
    """Return a sentence for each reason code, the most frequent first: how many, what it means, what to do."""
    ranked = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [f"{count} x {code}: {_told(code)}" for code, count in ranked]


def _told(code: str) -> str:
    advice = REASONS.get(code)
    return f"{advice.means} {advice.then}" if advice else "not a known reason"
