"""What earlier steps of de-identification say that they did: kept, and ours is added to it (PS3.3 C.7.1.1).

De-identification Method (0012,0063) holds a text for each step, its Code Sequence (0012,0064) a code. Both are
written by programs, but nothing keeps somebody from typing a name there: a text stays when all of it is
recognised, or is a product's name and version; a code stays when the standard prints it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.encoding.character_sets import decode
from deid.encoding.header import each_item, index_top_level, text_of
from deid.tables.dictionary import concepts
from deid.tags.recognition import recognised
from deid.text.standard import listed_names

if TYPE_CHECKING:
    from deid.encoding.header import Buffer, Element
    from deid.encoding.transfer_syntaxes import Encoding

METHOD: Final = 0x00120063
METHOD_CODES: Final = 0x00120064
_CODE_VALUE: Final = 0x00080100
_PRODUCT: Final = re.compile(
    r"([A-Za-z][A-Za-z+-]{2,20}) ?(?:version |v|V)?\d{1,2}(?:\.\d{1,3}){1,3}[a-z]?\d?\Z"
)
"""A product's name and the points of its version: ``CTP 2.1``, ``OTHERTOOL v3.2.1``."""
_OURS: Final = re.compile(
    r"dicomveil \d{1,2}(?:\.\d{1,2}){1,2} (?:key [0-9a-f]{8}|regions by hand)\Z"
)
_MOST_TEXTS: Final = 32


class EarlierMethods(NamedTuple):
    """What earlier steps did: texts, and code values with their meanings, in order."""

    texts: tuple[str, ...] = ()
    codes: tuple[tuple[str, str], ...] = ()


NONE: Final = EarlierMethods()


def earlier_methods(
    source: Buffer, found: dict[int, Element], encoding: Encoding, charset: str
) -> EarlierMethods:
    """Read what may stay of an instance's own account of earlier steps.

    Parameters
    ----------
    found
        Where `METHOD` and `METHOD_CODES` stand, as far as the instance has them.
    """
    if METHOD not in found and METHOD_CODES not in found:
        return NONE
    written = decode(text_of(source, found.get(METHOD)), charset).split("\\")
    texts = dict.fromkeys(text for each in written if _may_stay(text := each.strip(" \x00")))
    codes: dict[tuple[str, str], None] = {}
    if METHOD_CODES in found:
        meanings = dict(concepts())
        for start, stop in each_item(source, found[METHOD_CODES], len(source), encoding):
            item = index_top_level(source, start, encoding, {_CODE_VALUE}, end=stop)
            code = text_of(source, item.get(_CODE_VALUE)).decode("ascii", "replace")
            if code in meanings:
                codes[code, meanings[code]] = None
    return EarlierMethods(tuple(texts)[:_MOST_TEXTS], tuple(codes)[:_MOST_TEXTS])


def _may_stay(text: str) -> bool:
    if not text or not text.isascii():
        return False
    product = _PRODUCT.match(text)
    if _OURS.match(text):
        return True
    if product and product[1].lower() not in listed_names():
        return True
    return recognised(METHOD, "LO", text)
