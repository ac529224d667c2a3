"""What the standard says of encodings, as far as a reader of stored files needs it.

The same facts as in the package that de-identifies, which this one does not know; a test holds them together
entry by entry, and has every reader read every syntax.
"""

from __future__ import annotations

from typing import Final

IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
EXPLICIT_BIG: Final = "1.2.840.10008.1.2.2"
IMPLICIT: Final = frozenset({IMPLICIT_LITTLE, "1.2.840.10008.1.20", "1.2.840.113619.5.2"})
"""Transfer syntaxes in Implicit VR (PS3.5 A.1; Papyrus 3 and one of GE's own)."""
BIG_ENDIAN: Final = frozenset({EXPLICIT_BIG})
DEFLATED: Final = frozenset(
    {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
)
"""Whose data set is one deflated stream (PS3.5 A.5, A.7); not frames that are deflated one by one."""
NATIVE: Final = frozenset(
    {
        IMPLICIT_LITTLE,
        EXPLICIT_LITTLE,
        "1.2.840.10008.1.2.1.99",
        EXPLICIT_BIG,
        "1.2.840.10008.1.20",
    }
)
"""Whose Pixel Data is not encapsulated, and in the byte order of the data set."""
DECODABLE: Final = frozenset(
    {
        "1.2.840.10008.1.2.1.98",
        "1.2.840.10008.1.2.4.57",
        "1.2.840.10008.1.2.4.70",
        "1.2.840.10008.1.2.4.80",
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.4.201",
        "1.2.840.10008.1.2.4.202",
        "1.2.840.10008.1.2.5",
        "1.2.840.10008.1.2.8.1",
    }
)
"""Whose encapsulated pixels come out of decoding as they went in (PS3.5 A.4, 8.2)."""
MAX_DEPTH: Final = 32

LONG_VRS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""VRs whose length has 32 bits after two reserved bytes (PS3.5 table 7.1-1)."""
SHORT_VRS: Final = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)

_DEFAULT: Final = "ascii"
_CHINESE: Final = "gb2312"
CODECS: Final = {
    "": _DEFAULT,
    "ISO_IR 6": _DEFAULT,
    "ISO_IR 13": "shift_jis",
    "ISO_IR 100": "latin_1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 126": "iso_ir_126",
    "ISO_IR 127": "iso_ir_127",
    "ISO_IR 138": "iso_ir_138",
    "ISO_IR 144": "iso_ir_144",
    "ISO_IR 148": "iso_ir_148",
    "ISO_IR 166": "iso_ir_166",
    "ISO_IR 203": "iso8859_15",
    "ISO 2022 IR 6": _DEFAULT,
    "ISO 2022 IR 13": "shift_jis",
    "ISO 2022 IR 87": "iso2022_jp",
    "ISO 2022 IR 100": "latin_1",
    "ISO 2022 IR 101": "iso8859_2",
    "ISO 2022 IR 109": "iso8859_3",
    "ISO 2022 IR 110": "iso8859_4",
    "ISO 2022 IR 126": "iso_ir_126",
    "ISO 2022 IR 127": "iso_ir_127",
    "ISO 2022 IR 138": "iso_ir_138",
    "ISO 2022 IR 144": "iso_ir_144",
    "ISO 2022 IR 148": "iso_ir_148",
    "ISO 2022 IR 149": "euc_kr",
    "ISO 2022 IR 159": "iso2022_jp_2",
    "ISO 2022 IR 166": "iso_ir_166",
    "ISO 2022 IR 58": _CHINESE,
    "ISO_IR 192": "UTF8",
    "GB18030": "GB18030",
    "ISO 2022 GBK": "GBK",
    "ISO 2022 58": "GB2312",
    "GBK": "GBK",
}
"""Python's codecs by defined term of Specific Character Set (PS3.3 C.12.1.1.2)."""
ESCAPES: Final = {
    b"\x1b(B": _DEFAULT,
    b"\x1b-A": "latin_1",
    b"\x1b)I": "shift_jis",
    b"\x1b(J": "shift_jis",
    b"\x1b$B": "iso2022_jp",
    b"\x1b-B": "iso8859_2",
    b"\x1b-C": "iso8859_3",
    b"\x1b-D": "iso8859_4",
    b"\x1b-F": "iso_ir_126",
    b"\x1b-G": "iso_ir_127",
    b"\x1b-H": "iso_ir_138",
    b"\x1b-L": "iso_ir_144",
    b"\x1b-M": "iso_ir_148",
    b"\x1b-T": "iso_ir_166",
    b"\x1b$)C": "euc_kr",
    b"\x1b$(D": "iso2022_jp_2",
    b"\x1b$)A": _CHINESE,
}
"""What each escape sequence changes to (PS3.3 Tables C.12-3 and C.12-4)."""
DEFAULT_CODEC: Final = _DEFAULT
"""The default repertoire is ISO 646: bytes above it were never declared and mean nothing certain."""
