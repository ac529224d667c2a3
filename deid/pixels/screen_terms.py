"""What may stay in a picture for the words or numbers beside it."""

from __future__ import annotations

import re

#: What probes send, 1 to 24 MHz; an element of a coil, as a scanner lists those that it uses.
_MEGAHERTZ = r"(?:[1-9]|1\d|2[0-4])"
_COIL = r"(?:B[CLOR]|BODY|CP|HE[AP]?|KN|L[AE]|NE[AP]?|P[ALR]|SH|SP|TO|UA|WR)\d?(?:[-,]\d)*"

#: What is known by the words or numbers beside it, though its words alone may be names or anything:
#: RED FREE, FEET FIRST, Tc-99m, Br40, GIF-H290. In upper case, without accents.
TERMS = re.compile(
    r"(?:\b|(?=\*[^\W_]))(?:"
    # isotopes, also with the number first
    r"(?:AC[- ]?225|CU[- ]?6[47]|F[- ]?18|GA[- ]?6[78]|I[- ]?1(?:2[345]|31)|IN[- ]?111|KR[- ]?81M"
    r"|LU[- ]?177|RA[- ]?223|RB[- ]?82|SM[- ]?153|SR[- ]?89|TC[- ]?9[49]M|TL[- ]?201|XE[- ]?133"
    r"|Y[- ]?90|ZR[- ]?89)"
    r"|(?:99M-?TC|177-?LU|201-?TL|111-?IN|6[78]-?GA|12[345]-?I|131-?I|18-?F|133-?XE|82-?RB)"
    # kernels: Br40, Hr68, Qr36d/3
    r"|(?:B[FLRV]|H[CFNRV]|QR|SA|TR|U[BFR])\d\d[A-Z]?(?:[/-]\d)?"
    # iterations and subsets
    r"|\d{1,2}I ?\d{1,2}S"
    # anode and filter
    r"|(?:MO|RH|W)/(?:AG|AL|MO|RH)"
    # endoscopes and their processors
    r"|(?:BF|CF|CLV|CV|EC|EG|GF|GIF|PCF|SIF|TJF)-[A-Z]{0,2}\d{3}[A-Z]{0,2}"
    # elements of coils
    r"|COIL ?:? ?[A-Z]{2}\d{1,2}(?:[-,;]\d{1,2})*"
    # numbers with their label and unit
    r"|MD ?[:=]? ?[+-]?\d+[.,]\d+ ?DB"
    r"|AK ?[:=]? ?\d+(?:[.,]\d+)? ?[MU]?GY"
    r"|AVA ?[:=]? ?\d+(?:[.,]\d+)? ?CM(?:2|\u00b2)"
    r"|DICKE ?[:=]? ?\d+(?:[.,]\d+)? ?MM"
    r"|GT ?[:=]? ?[+-]?\d+\.\d"
    r"|(?:PRE|POST)[- ]?(?:GD|OP)"
    # probes and the frequencies that they send: C5-1, RIC5-9-D, eL18-4
    rf"|[A-Z]{{1,3}}{_MEGAHERTZ}-{_MEGAHERTZ}(?:-[A-Z])?(?![-/.]?\d)|RAB\d-[A-Z]"
    # enhancement of endoscopes, echoes, software, grades, the hours of a breast
    r"|E[HM] ?: ?[A-D]?\d|EC ?:? ?\d/\d|SW ?:? ?V?\d+\.\d+|[A-Z]{1,2}-?RADS ?:? ?\d[A-C]?"
    r"|\d{1,2} O.?CLOCK"
    # pulse sequences, elements of coils, models of devices
    rf"|\*[A-Z]{{1,6}}(?:[23]D\d|_B\d)[A-Z0-9_]*|{_COIL}(?:;{_COIL})+"
    r"|CX[35]0|DC-[346-9]0?|H[MS][3-7]0A|HD1[15]|IE33|IU22|RS8[05]A|WS80A"
    r"|(?:EUP-[A-Z]|PLT-|PST-|PVT-)\d{2,4}[A-Z]{0,2}"
    # settings, phases, views
    r"|BALANCE (?:DES|DE) BLANC(?:O|OS|S)|(?:BLUE|GREEN|RED|WHITE) (?:BALANCE|LIGHT)|RED[- ]FREE"
    r"|BEST (?:DIASTOLIC|SYSTOLIC)|BONE ?PLUS|COMBINED FIELDS?|CORPS ENTIER|CUL[- ]DE[- ]SAC|DEEP INSPIRATION"
    r"|(?:FEET|HEAD) FIRST|FIRST PASS|FIELD OF VIEW|FREE BREATHING|HOT IRON"
    r"|REAL[- ]?TIME|SMALL PARTS|STILL IMAGE"
    # sides and axes, of which the one word is a name
    r"|(?:GALLENBLASE|HUFTE|KNIE|MAMMA|NIER|NIERE|OVAR|SCHULTER) (?:LI|RE)(?:NKS|CHTS)?|LANGE ACHSE"
    r"|\d{1,4} (?:DE|DI|VAN|VON) \d{1,4}|SEM (?:CONTRASTE|VALOR)"
    r"|RENE (?:DESTRO|DX|SIN|SINISTRO|SN|SX)|(?:GRAND|PETIT) AXE"
    r"|(?:CON|SIN) CONTRASTE|(?:CON|SENZA) CONTRASTO|(?:MIT|OHNE) KM|TRUE (?:FISP|SIZE)"
    r"|1ST TRIM(?:ESTER)?|ANT[_ ]SEPT|CHO ?/ ?(?:CR|NAA)|KEY IMAGES?"
    r"|AVA ?\((?:VTI|VMAX)\)|[AES]['\u2019\u00b4] ?SEPT|DIXON[ _-](?:F|IN|OPP|W)|LARGE BODY"
    r"|(?:HORIZ|VERT)\.? LONG|(?:P|R|T) WAVE|WHOLE BODY"
    r")(?![^\W_])"
)
