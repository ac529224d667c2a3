"""What stands for what in one instance: a row of the crosswalk. Original identifiers: never for logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import deid

if TYPE_CHECKING:
    from deid.encoding.header import Buffer

_VALUES: Final = {"patient_id": "PatientID", "accession_number": "AccessionNumber"}


def traced(source: Buffer, made: Buffer, plan: deid.Plan) -> dict[str, Any]:
    """Return original and replacement identifiers, and how far the patient's dates moved.

    Parameters
    ----------
    source, made
        The instance before and after, as Part 10 files.

    Raises
    ------
    Unsafe
        When one of them is not an instance.
    """
    told: dict[str, Any] = {}
    for when, content in (("old", source), ("new", made)):
        header = deid.read_header(content, _VALUES.values())
        told |= {
            f"{when}_study_instance_uid": header.study_uid,
            f"{when}_series_instance_uid": header.series_uid,
            f"{when}_sop_instance_uid": header.sop_instance_uid,
        }
        for name, keyword in _VALUES.items():
            told[f"{when}_{name}"] = "\\".join(header.values.get(keyword, ()))
    shift = deid.shift_of(source, plan)
    if shift is not None:
        told |= {"date_shift_days": shift.days, "time_shift_s": shift.seconds}
    return told
