"""What was leniently understood in a configuration, and what it leaves out, as sentences."""

from __future__ import annotations

from typing import Final

LENIENCIES: Final = {
    "single_quoted_json": "was given in single quotes, which is not JSON; understood as if in double quotes",
    "stray_tag_filter_profile": "stands outside dicom; understood as dicom.filterProfile",
    "filter_profile_with_keep_list": (
        "stands beside a filter profile: the listed elements are kept, the profile rules the rest"
    ),
    "empty_masking_character": "is empty; understood as *",
    "empty_list": "is empty",
    "keeps_all_tags_by_default": "is not set, which in v1 means that every element is kept",
    "file_meta_is_rebuilt": "names an element of the file meta information, which is always made anew",
    "enum_by_number": "gives a choice by its number; understood as the choice at that place of the list",
    "tag_as_printed": "writes a tag as the standard prints it; understood as eight hex digits",
    "wider_info_type": "names a kind that is found here only as part of a wider one; that is transformed",
    "sensitive_text_assumed": "is not set; understood as REDACT_SENSITIVE_TEXT",
    "no_effect_without_redaction": "has no effect, as no text is redacted",
    "text_is_not_used": "has no effect, as nothing here cleans text",
    "not_applied": "names a store; results go where the site says",
    "unmatched_fields_kept": (
        "keeps every field of a resource that no path names, names and numbers of patients among them"
    ),
    "profile_keeps_identity": (
        "does not remove what identifies; only BASIC does, or paths of your own for every field"
    ),
    "no_effect_here": "has no effect: all processing is local",
    "dicom_not_covered": (
        "has neither dicom nor dicomTagConfig: DICOM instances are put aside as not_configured"
    ),
    "request_body": "stands in the body of a request; it is used, and the rest of the body is not",
    "request_limits_not_applied": "would limit a request; here every instance is de-identified",
}


def sentence(warning: str) -> str:
    """Return a warning (a code, a colon and the JSON path) as a sentence."""
    code, _colon, path = warning.partition(": ")
    return f"{path} {LENIENCIES.get(code, code)}."
