"""Attributes of equipment, products and protocols: their values are the same in many patients' instances.

Days of them must not move with a patient's, nor their UIDs join patients (`deid.tags.rules`).
"""

from __future__ import annotations

from typing import Final

OF_PROTOCOLS: Final = frozenset(
    {
        0x00080106, 0x00080107, 0x00120086, 0x00120087, 0x00141020, 0x00143076, 0x00143077, 0x00144076,
        0x00144078, 0x0014407A, 0x0014407C, 0x0014407E, 0x00181200, 0x00181201, 0x00181202, 0x00181203,
        0x00181204, 0x00181205, 0x0018700C, 0x0018700E, 0x0040DB06, 0x0040DB07, 0x0044000B, 0x00686226,
        0x00686270, 0x0072000A, 0x00720061, 0x00720063, 0x0072006B,
    }
)  # fmt: skip
"""Days and times of equipment, products and protocols, which many patients share."""
OF_VERSIONS: Final = frozenset({0x00080103, 0x00080106, 0x0040DB06})
"""Versions of coding schemes, context groups and templates (PS3.3 8.8, C.18.8), of days that PS3.16 prints."""
EQUIPMENT_UIDS: Final = frozenset(
    {0x00080014, 0x00089123, 0x00181002, 0x00200200, 0x00281199, 0x00281214, 0x00880140, 0x0040E011}
)
"""UIDs of what many patients share: creators, devices, synchronisation frames, palettes, media, places."""

OF_MAKERS: Final = frozenset(
    {
        0x00080070, 0x00081090, 0x00181016, 0x00181018, 0x00181019, 0x00181020, 0x00181022, 0x00180024,
        0x00181160, 0x00181180, 0x00181210, 0x00181250, 0x00181251, 0x00187006, 0x0018702A, 0x0018702B,
        0x00189005, 0x00189041, 0x00189051, 0x00541101, 0x00541103, 0x00541105,
    }
)  # fmt: skip
"""Texts that makers of devices and software write: names, versions, coils, kernels, sequences, methods.

What the Basic Profile keeps of them (`deid.tags.recognition`) stays where text is cleaned, too. Days in them
do not move: when a version was released is known, and would tell by how much.
"""

OF_PATIENTS: Final = frozenset(
    {
        0x00081030, 0x00081080, 0x00084000, 0x00100033, 0x00100034, 0x00102000, 0x00102110, 0x00102180,
        0x001021B0, 0x00104000, 0x00120051, 0x0018003A, 0x00184000, 0x0018991A, 0x00204000, 0x00209158,
        0x00221065, 0x00221066, 0x0022112C, 0x00240044, 0x00240069, 0x00321030, 0x00321066, 0x00324000,
        0x00380040, 0x00380050, 0x00380062, 0x00380500, 0x00384000, 0x00400012, 0x00400280, 0x00400310,
        0x00400400, 0x00400556, 0x00400600, 0x00400602, 0x00401002, 0x00401400, 0x00402001, 0x00402400,
        0x0040A160, 0x0040A492, 0x00440011, 0x00440106, 0x00620006, 0x00660107, 0x00700006, 0x00741006,
        0x00741238, 0x30040006, 0x30060006, 0x30060028, 0x30060088, 0x300600C8, 0x30080066, 0x30080202,
        0x300A0004, 0x300A000E, 0x300A0016, 0x300A0402, 0x300A0730, 0x300A0734, 0x300A0742, 0x30100037,
        0x3010005A, 0x3010005C, 0x30100061, 0x3010007A, 0x3010007B, 0x3010007F, 0x40004000, 0x4008010B,
        0x40080115, 0x40080300, 0x40084000,
    }
)  # fmt: skip
"""Texts that somebody writes about one patient: comments, reasons, histories, findings, notes, what a study is.

Days in them are the patient's and move. All other texts are written for many patients (names of protocols,
descriptions of series and procedures, codes, devices): days in them become their kind (decision 0114).
"""
