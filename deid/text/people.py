"""Names of people by what stands around them: titles, roles, degrees, carets, keys, greetings."""

# ruff: noqa: E501, RUF001 - a pattern reads worse broken over lines, and holds letters of other scripts

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deid.text import eponyms
from deid.text.findings import PATTERN, Finding
from deid.text.folding import fold, words
from deid.text.vocabulary import (
    is_clinical_token,
    is_made_as_surname,
    is_name,
    is_own_clinical,
    is_recognised,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CAPITAL: Final = r"[^\W\d_a-zß-öø-ÿ]"
"""A letter that is not a Latin small letter: capitals, and letters of scripts without case."""
_PARTICLE: Final = (
    r"(?:van|von|der|den|de|del|della|di|da|dos|du|la|le|el|al|bin|ibn|ter|zu|st\.?|mc|o['\u2019])"
)
_NAME: Final = rf"(?:{CAPITAL}[\w'\u2019]{{1,30}}(?:-{CAPITAL}?[\w'\u2019]{{1,30}}){{0,2}}|{CAPITAL}\.(?![^\W\d_]\.|D\b))"
_FULL_NAME: Final = rf"{_NAME}(?:(?:,\s?|\s+|\.\s?)(?:{_PARTICLE}\s+){{0,2}}{_NAME}){{0,3}}"
PARTICLES: Final = words(
    """
    van von der den de del della di da dos du la le el al bin ibn ter zu st
    """
)

_I: Final = re.IGNORECASE
_CAPITALS: Final = re.compile(CAPITAL)
_TITLE: Final = (
    r"(?:Dr|Drs|Doctor|Prof|Professor|Mr|Mrs|Ms|Miss|Mister|Master|Sir|Madam|Rev|Fr|Sr|Herrn?|Frau|Hr|Mme|Mlle|Monsieur|Madame|Mademoiselle"
    r"|Sra|Srta|Se[ñn]ora?|Don|Do[ñn]a|Dona|Pan[íi]|Bayan|Say[ıi]n|Uzm|Op\.?\s?Dr|MUDr|MDDr|Prim|Lek|Ing|Mgr|Herra|Rouva|Sig|Signora?|Sig\.ra|Dott(?:\.ssa|ssa|oressa)?|Dra|Dhr|Mevr(?:ouw)?|Mw|Meneer|Fru|Fr[öo]ken|Doktor|Capt|Sgt|Nurse|Sister|Dr\.?\s?med|PD|Priv\.?-?Doz"
    r"|д-р|г-н|г-жа|пан[іи]?|DR|MR|MRS|MS|PROF|MISS|HERR|FRAU|MME|NURSE)"
)
_ROLE: Final = (
    r"(?:(?:referr(?:ed|ing)|dictated|signed|read|reported|reviewed|interpreted|performed|requested|ordered|transcribed|verified|approved|authenticated"
    r"|seen|examined|operated|consulted|supervised|injected|administered|scanned|assisted|witnessed|prepared|authored|entered|typed|called\s+in|accompanied)"
    r"(?:\s+(?:and\s+|&\s*|/\s*)?(?:electronically|digitally|finali[sz]ed|signed|dictated|verified|reviewed)){0,3}\s+(?:by|from|with|to)"
    r"|(?:discussed|spoke|speaking|communicated|d/w|conferred|conveyed|telephoned|phoned|paged|informed|notified|called|relayed|reported|given)(?:\s+(?:with|to|w/|by(?:\s+\w+)?))?"
    r"|(?:referring|attending|requesting|ordering|reading|performing|consulting|primary|responsible|treating|family|interpreting)\s*(?:care\s+)?(?:physician|provider|doctor|clinician|radiologist|surgeon|md|dr|gp)?"
    r"|radiologist|technologist|technician|tech|rad\s?tech|sonographer|radiographer|operator|oper|surgeon|anesthesiologist|resident|fellow|intern|nurse|physician|doctor|gp|pcp|author|observer|signed|signature|initials"
    r"|cc|attn|attention|from|to|re|by|name|nom|nombre|nome|naam|full\s+name|surname|first\s+name|last\s+name|patient(?:\s*(?:'?s)?\s*name)?|pat|pt(?:'?s)?(?:\s+name)?|patientin|paciente|paziente"
    r"|nok|next\s+of\s+kin|contact|emergency\s+contact|guardian|carer|caregiver|wife|husband|spouse|partner|mother|father|mom|dad|mum|son|daughter|brother|sister|aunt|uncle|friend|neighbou?r|colleague|employer|relative"
    r"|überwiesen\s+von|zuweiser|einsender|befunder|befundet\s+von|ass(?:istenz)?arzt|oberarzt|chefarzt|arzt|ärztin|hausarzt|mta|mtra|adress[ée]e?\s+par|m[ée]decin|prescripteur|remitid[oa]\s+por|m[ée]dico|medico|arts|huisarts|firmato\s+da|inviato\s+da)"
)
_ROLE_ELSEWHERE: Final = (
    r"(?:pan|bay|ehefrau|ehemann|tochter|sohn|[ée]pouse|[ée]poux|fil(?:s|le)\s+de|esposa|esposo|marido|hij[ao]\s+de|moglie|marito|figli[ao]\s+di|filh[ao]\s+de|echtgenote|echtgenoot|dochter|zoon"
    r"|\u017cona|m\u0105\u017c|c\u00f3rka|syn|man\u017eel(?:ka)?|dcera|hustrun?|dotter|datter|s\u00f8n|vaimo|aviomies|tyt\u00e4r|poika|feles\u00e9ge?|f\u00e9rje|l\u00e1nya|fia|e\u015fi|k\u0131z\u0131|o\u011flu"
    r"|l\u00e4kare|l\u00e6ge|overl\u00e6ge|\u00f6verl\u00e4kare|lekarz|l\u00e9ka\u0159|l\u00e4\u00e4k\u00e4ri|ylil\u00e4\u00e4k\u00e4ri|orvos|f\u0151orvos|h\u00e1ziorvos|doktor|hekim|enfermeir[ao]|enfermer[ao]|infermier[ae]|infirmi[e\u00e8]re?|zuster|schwester|sk\u00f6terska|sygeplejerske|sairaanhoitaja|hem\u015fire|n\u0151v\u00e9r|sestra|piel\u0119gniarka"
    r"|t\u00e9cnic[ao]|tecnic[ao]|laborant(?:ka)?|(?-i:technik)|teknisyen|asszisztens|radiograf|r\u00f6ntgenhoitaja|pacient[ea]?|paci[e\u00eb]nt|pacjent(?:ka)?|patienten|potilas|beteg|hasta(?=\s?[:=])|paziente|m\u00e9dico\sde\sfam\u00edlia)"
)
"""Relatives, nurses, doctors and patients in languages other than English."""
_ROLE_INITIALS: Final = re.compile(
    rf"(?<![^\W_])(?i:{_ROLE})\b\s*[:=]\s*(?P<name>[A-Z]{{2,3}})(?![^\W_])"
    r"|\b(?i:by|initials?|inits?)\s{1,2}(?P<alone>[A-Z]{2,3})(?=[\s,.;)]|$)"
)
_METHODS: Final = words(
    """
    ct mr us xr nm mri mra mrcp cta pet tte tee eus oct dxa ecg ekg eeg emg pcr naa eia ria ifa if fia lc gc ms nmr ihc ctg
    """
)
"""By which something is found or measured: no initials but behind what people do alone (signed by)."""
_AUTHORED: Final = re.compile(
    r"(?<![^\W\d_])(?:signed|dictated|read|report(?:ed)?|reviewed|verified|approved|transcribed|typed|entered|seen|ordered|requested"
    r"|performed|scanned|done|checked|injected|administered|acquired|prepared|drawn|taken|made|given)\s\Z",
    re.IGNORECASE,
)
_LOOSE_NAME: Final = r"[^\W\d_][\w'\u2019]{1,30}(?:-[\w'\u2019]{1,30}){0,2}"
_TITLED: Final = re.compile(
    rf"(?<![^\W_])(?P<title>{_TITLE})\b\.?(?:\s*(?:{_TITLE})\b\.?)*\s+"
    rf"(?P<name>(?:{_PARTICLE}\s+){{0,3}}{_FULL_NAME})"
)
_KEYED: Final = re.compile(
    rf"(?<![^\W_])(?i:(?:last|first|middle|sur|given|family|maiden|vor|nach|zu|pat(?:ient)?s?)[\s_-]?names?|name|patient|pat|pt)\s?[:=]\s?"
    rf"(?P<name>{_LOOSE_NAME}(?:,\s?{_LOOSE_NAME})?)"
)
"""A key and what it holds: the first word is a name whatever it looks like."""
_HOUSEHOLD: Final = r"(?:family|families|couple|twins|triplets|children|kids|brothers|sisters|siblings|household|residence|parents)"
_FAMILY: Final = (
    # the Mole family, the Rivers twins: also of words that are no names
    re.compile(
        rf"\b(?i:the|our|this)\s(?P<name>{CAPITAL}[a-zà-ÿ'\u2019]{{2,30}}(?:-{CAPITAL}[\w'\u2019]{{1,30}})?)(?<!ella)(?<!aceae)(?<!virus)(?<!coccus)(?<!viridae)(?<!bacter)(?<!Herpes)"
        rf"(?=\s{_HOUSEHOLD}\b(?!\s(?:of\s)?(?:the\s)?(?:virus|bacteria|protein|gene|receptor|enzyme|drug|tumou?r|disease|history|practice|medicine|doctor|physician|planning|therap|room|meeting)))"
    ),
    # Familie Herz, famille Blanc, famiglia Rossi, familia Cruz
    re.compile(
        rf"\b(?i:familien?|famille|famiglia|fam[ií]lia|familjen|rodzina|gezin)\s(?P<name>{CAPITAL}[a-zà-ÿ]{{2,30}}(?:-{CAPITAL}[\w'\u2019]{{1,30}})?)(?![^\W_])"
    ),
    # the Kidneys wish to proceed, the Stones' son
    re.compile(
        rf"\b(?i:the|to|with|for|by|from)\s(?P<name>{CAPITAL}[a-zà-ÿ]{{2,30}}s)(?=['\u2019]\s(?i:son|daughter|baby|child|infant|home|house|family|dog|mother|father|concerns?|wishes|request|consent|decision))"
    ),
    re.compile(
        rf"\b(?i:the)\s(?P<name>{CAPITAL}[a-zà-ÿ]{{2,30}}s)(?=\s(?:wish|want|agree[ds]?|decline[ds]?|consent(?:ed)?|were\s(?:informed|told|advised|counsel+ed|aware|present|given|happy|upset|shown|offered)|are\s(?:aware|happy|anxious|coming|moving|here)"
        r"|have\s(?:agreed|asked|been\s(?:informed|told|advised|counsel+ed))|asked|live[ds]?|understand|understood|would\slike|will\s(?:return|call|discuss|think|consider)|did\snot\sattend|came|called|phoned|brought)\b)"
    ),
)
_TITLED_LOOSELY: Final = re.compile(
    rf"(?<![^\W_])(?:dr|prof|mr|mrs|ms|miss|herr|frau|mme|dra|sra)\b\.?\s*(?P<name>{_LOOSE_NAME})",
    _I,
)
_TITLED_SMALL: Final = re.compile(
    r"(?<![^\W_])(?<!\d\s)(?<!the\s)(?:drs?|prof|dhr|mevr(?:ouw)?|mw(?=\.)|meneer|de\sheer|herrn?|frau|fru|dott(?:\.ssa|ssa)?|dra|sra|mme|mlle)\b\.?\s+"
    rf"(?P<name>(?:{_PARTICLE}\s+){{0,3}}(?={CAPITAL}[a-zà-ÿ'\u2019]){_FULL_NAME})"
)
"""As Dutch, Polish and Scandinavian titles are written; mr, ms, hr and sr are magnets and measures, too."""
_SMALL_TITLES: Final = (
    "dr", "prof", "dhr", "mevr", "mw.", "meneer", "de heer", "herr", "frau", "fru", "dott", "sra", "mme", "mlle",
)  # fmt: skip
"""One of them is in a text that the pattern finds anything in."""
_ROLED: Final = re.compile(
    rf"(?<![^\W_])(?i:{_ROLE})\b\s*(?:(?P<colon>[:=])|\(|,|\bis\b|\bnamed\b|\bcalled\b)?\s*"
    rf"(?:(?:{_TITLE})\b\.?\s*)*(?P<name>(?:{_PARTICLE}\s+){{0,3}}{_FULL_NAME})"
)
_ROLED_ELSEWHERE: Final = re.compile(
    rf"(?<![^\W_])(?i:{_ROLE_ELSEWHERE})\b\s*(?:(?P<colon>[:=])|\(|,|\bis\b|\bnamed\b|\bcalled\b)?\s*"
    rf"(?:(?:{_TITLE})\b\.?\s*)*(?P<name>(?:{_PARTICLE}\s+){{0,3}}{_FULL_NAME})"
)
_ROLED_LOOSELY: Final = re.compile(
    rf"(?<![^\W_])(?i:{_ROLE})\b\s*[:=]\s*(?P<name>{_LOOSE_NAME}(?:[,\s]+{_LOOSE_NAME}){{0,2}})"
)
_DEGREE: Final = re.compile(
    rf"(?<![\w'\u2019-])(?P<name>{_FULL_NAME}),?\s{{1,2}}(?:M\.?D\.?|D\.?O\.?|Ph\.?D\.?|R\.?N\.?|N\.?P\.?|P\.?A\.?(?:-C)?|FRCR|MRCP|FRCS|FACR|FACS|MBBS|MBChB|RT(?:\(R\))?|RDMS|DDS|Esq|Jr|III?)\b"
)
_COMMA_NAME: Final = re.compile(
    rf"(?<![\w'\u2019])(?!(?:I{{1,3}}|I[VX]|VI{{0,3}}|X{{1,2}}),)(?P<name>{CAPITAL}[\w'\u2019]{{1,30}}(?:-{CAPITAL}[\w'\u2019]{{1,30}})?,\s?{CAPITAL}[\w'\u2019]{{1,30}}(?:\s{CAPITAL}\.?)?)(?![^\W_])"
)
_TOKEN: Final = re.compile(r"[^\W_]+")
_CARETS: Final = re.compile(
    r"(?<![^\s\\])[^\s\^=\\]{1,64}(?:\^[^\s\^=\\]{0,64}){1,4}(?:=[^\s\\]{0,128}){0,2}"
)
_INITIALED: Final = re.compile(
    rf"(?<![^\W_.])(?P<name>{CAPITAL}\.(?:\s?{CAPITAL}\.)?\s?{CAPITAL}[a-zà-ÿ'\u2019]+(?:-{CAPITAL}[\w'\u2019]+)?)"
)
_SIGNED: Final = re.compile(
    rf"(?<![\w'\u2019.-])(?P<name>{CAPITAL}\.(?:\s?{CAPITAL}\.)?\s?{CAPITAL}[a-zà-ÿ'\u2019]{{2,30}}(?:-{CAPITAL}[\w'\u2019]+)?)"
    r"(?=,?\s{1,2}(?:M\.?D\.?|D\.?O\.?|Ph\.?D\.?|R\.?N\.?|N\.?P\.?|P\.?A\.?(?:-C)?|FRCR|MRCP|FRCS|FACR|FACS|MBBS|MBChB|RT(?:\(R\))?|RDMS|DDS|Esq)\b)"
    rf"|(?<![^\W_])(?i:signed|signature|dictated(?:\sby)?|reported\sby|read\sby|verified\sby|approved\sby|radiologist|physician|surgeon)\s?[:,]?\s(?P<signed>{CAPITAL}\.(?:\s?{CAPITAL}\.)?\s?{CAPITAL}[a-zà-ÿ'\u2019]{{2,30}})"
)
"""Initials and a word before a degree or behind a signature: a name whatever the word means."""
_GREETING: Final = re.compile(
    rf"\b(?:Dear|Hello|Hi|Sincerely|Regards|Thanks|Liebe[r]?|Sehr geehrte[r]?|Cher|Chère|Estimad[oa]),?\s+(?:{_TITLE}\b\.?\s*)*(?P<name>{_FULL_NAME})"
)


_NOT_FAMILIES: Final = words(
    """
    patient patients parents extended immediate nuclear foster adoptive whole entire large small second first same other two three twin
    royal single herpes
    """
)


def _is_of_vocabulary(text: str) -> bool:
    """Whether what stands around carets is a region and its exam, or a number and its power, and nobody.

    As consoles write (``Head^Routine``) and units (``10^-6``): outside PN a caret alone makes no name.
    """
    tokens = _TOKEN.findall(text)
    return bool(tokens) and all(
        token.isdigit() or len(token) == 1 or is_clinical_token(token) for token in tokens
    )


def find(text: str) -> Iterator[Finding]:
    """Yield names that what stands around them gives away, in any order."""
    if "^" in text:
        for match in _CARETS.finditer(text):
            if _is_of_vocabulary(match[0]):
                continue
            yield Finding(*match.span(), "PERSON_NAME", PATTERN)
    if not _CAPITALS.search(text):
        for pattern in (_TITLED_LOOSELY, _KEYED, _ROLED_LOOSELY):
            yield from _names(text, pattern, sure=pattern is not _ROLED_LOOSELY)
        return
    for family in _FAMILY:
        for match in family.finditer(text):
            if fold(match["name"]) not in _NOT_FAMILIES:
                yield Finding(*match.span("name"), "PERSON_NAME", PATTERN)
    for match in _SIGNED.finditer(text):
        yield Finding(*match.span("name" if match["name"] else "signed"), "PERSON_NAME", PATTERN)
    for match in _ROLE_INITIALS.finditer(text):
        if fold(match["alone"] or "") in _METHODS and not _AUTHORED.search(
            text, max(0, match.start() - 16), match.start()
        ):
            continue
        yield Finding(*match.span("name" if match["name"] else "alone"), "PERSON_NAME", PATTERN)
    for pattern, sure in (
        (_TITLED, True),
        (_TITLED_SMALL, True),
        (_GREETING, True),
        (_DEGREE, False),
        (_INITIALED, False),
        (_ROLED, False),
        (_ROLED_ELSEWHERE, False),
        (_COMMA_NAME, False),
        (_KEYED, False),
        (_TITLED_LOOSELY, False),
        (_ROLED_LOOSELY, False),
    ):
        if pattern is not _TITLED_SMALL or any(title in text for title in _SMALL_TITLES):
            yield from _names(text, pattern, sure=sure)


def _names(text: str, pattern: re.Pattern[str], *, sure: bool) -> Iterator[Finding]:
    """Yield the names a pattern leads to; what a match took in behind its name is searched again."""
    at = 0
    while (match := pattern.search(text, at)) is not None:
        # In capitals MR, MS and DR are modalities and diseases as often as titles, and others in any letters.
        title = match["title"] if sure and "title" in pattern.groupindex else ""
        loud = title.isupper() or title.rstrip(".").lower() in _ALSO_WORDS
        listed = pattern is _COMMA_NAME and _is_of_register(match["name"])
        at = match.start("name") + 1
        if pattern is _COMMA_NAME and _are_diseases(match["name"]):
            continue
        found = _trimmed(text, match, sure=listed or (sure and not loud))
        if found is not None:
            at = found.stop
            yield found


_ALSO_WORDS: Final = words("ing lek mgr prim uzm")
"""Titles that are other words where others live: an inguinal hernia, a primary tumour."""


def _are_diseases(name: str) -> bool:
    """Whether two words with a comma between are abbreviations of ours, the last no given name: GERD, OSA."""
    pair = _TOKEN.findall(name)
    return not is_name(pair[-1]) and all(word.isupper() and is_own_clinical(word) for word in pair)


def _is_of_register(name: str) -> bool:
    """Whether a word is a surname for the unknown one behind its comma: LASTINGER, RHODA."""
    surname, _comma, given = name.partition(",")
    given = given.split()[0] if given.strip() else ""
    return bool(given) and not is_recognised(given) and is_made_as_surname(surname)


_WORDS: Final = re.compile(r"[^\W\d_][\w'\u2019]*(?:-[\w'\u2019]+)*\.?")
_NOT_NAMES: Final = words(
    """
    the this that he she it they we i a an and or if when was is were are has had have not no on in
    at for of with to by from as but there please see dr drs prof mr mrs ms miss mister sir doctor
    professor nurse herr frau mme md phd rn do np pa patient pt male female right left
    """
)


def _is_ordinary(word: str) -> bool:
    """Whether a word, or each that underscores join to it, is of the vocabulary and no name: ``SE_EPI``, ``TE35``."""
    if word.isalpha():
        return is_recognised(word) and not is_name(word)
    return all(
        is_clinical_token(part) and not is_name(part.strip("0123456789"))
        for part in _PIECES.findall(word)
    )


_PIECES: Final = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_CLASS: Final = re.compile(r"\s{1,2}[IVX]{1,4}[a-cA-CF]?(?![^\W_])")


def _is_graded(text: str, word: re.Match[str]) -> bool:
    """Whether a word is of an eponym with a class behind it: Salter-Harris II is no junior."""
    return _CLASS.match(text, word.end()) is not None and all(
        eponyms.is_in_use(text, word.start() + each.start(), word.start() + each.end())
        for each in re.finditer(r"[^\W\d_]+", word[0])
    )


def _trimmed(text: str, match: re.Match[str], *, sure: bool) -> Finding | None:
    """Return a name without the ordinary words that were caught with it, if a name is left.

    `sure` says that the first word is a name whatever it looks like: it stands behind a title.
    """
    start, stop = match.span("name")
    parts = list(_WORDS.finditer(text, start, stop))
    kept: list[re.Match[str]] = []
    lead = -1
    is_first = True
    for index, word in enumerate(parts):
        bare = word[0].rstrip(".")
        folded = fold(bare)
        if folded in PARTICLES and not bare[0].isupper() and index + 1 < len(parts):
            lead = word.start() if lead < 0 and not kept else lead
            continue
        ordinary = (
            folded in _NOT_NAMES
            or folded in PARTICLES
            or (len(bare) > 1 and _is_ordinary(bare))
            or _is_graded(text, word)
        )
        is_first, may_be_any = False, sure and is_first
        if ordinary and not (may_be_any and folded not in _NOT_NAMES):
            if kept:
                break
            lead = -1
            continue
        kept.append(word)
    if kept and any(len(word[0].rstrip(".")) > 1 for word in kept):
        begin = lead if 0 <= lead < kept[0].start() else kept[0].start()
        return Finding(begin, kept[-1].end(), "PERSON_NAME", PATTERN)
    return None
