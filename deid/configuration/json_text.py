"""JSON as people and programs write configurations: also in single quotes, as printed dictionaries are."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, Final


def loads(text: str) -> tuple[Any, bool]:
    """Parse JSON, or JSON whose strings stand in single quotes; also say whether it was the latter.

    Python's `True`, `False` and `None` are understood in the latter, as printed dictionaries have them.
    A byte order mark is passed over (RFC 8259 8.1).

    Raises
    ------
    ValueError
        If it is neither, or an object has a name twice, of which readers take one or the other; the
        message names line and column or the name, never a value.
    """
    text = text.removeprefix("\ufeff")
    try:
        return _strict(text), False
    except json.JSONDecodeError as error:
        if "'" not in text:
            raise ValueError(_where(error)) from None
        first = error
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    try:
        return _strict(_double_quoted(text)), True
    except json.JSONDecodeError:
        raise ValueError(_where(first)) from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _strict(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_once_each)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        # Each name once: what somebody sends may have a hundred thousand.
        counts = Counter(name for name, _value in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"gives {twice[:64]} twice in one object; keep one")
    return read


def _where(error: json.JSONDecodeError) -> str:
    return f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"


# What is not closed goes on to the end, or each escaped quote in it would be looked at as one that opens; and
# what was passed is not taken back, or each step would be remembered.
_LITERAL: Final = re.compile(
    r"'(?P<text>[^'\\]*+(?:\\.[^'\\]*+)*+)(?P<end>'?+)"
    r"|\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"?+"
    r"|\b(?P<word>True|False|None)\b",
    re.DOTALL,
)
_PYTHON_WORDS: Final = {"True": "true", "False": "false", "None": "null"}


def _double_quoted(text: str) -> str:
    def quoted(found: re.Match[str]) -> str:
        if found["word"]:
            return _PYTHON_WORDS[found["word"]]
        if not found["end"]:
            return found[0]
        content = found["text"].replace("\\'", "'")
        return '"' + re.sub(r'(?<!\\)((?:\\\\)*)"', r'\1\\"', content) + '"'

    return _LITERAL.sub(quoted, text)
