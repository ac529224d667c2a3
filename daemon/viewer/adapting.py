"""The viewer's scripts and styles, built for the root of a server, made to run wherever its page is.

A script asks for its other parts at the path that it was built for. It shall ask beside the page's base, or, as
a worker, beside itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

# As webpack writes it: at its length, and shortened.
_PARTS_AT_ROOT: Final = re.compile(
    rb"(\b(?:__webpack_require__|[A-Za-z_$]{1,3})\.p\s*=\s*)\"/\"(?=[;,)}\s])"
)
_BESIDE: Final = rb'\1new URL("./",self.document?self.document.baseURI:self.location.href).href'
_ROOT_IN_STYLE: Final = re.compile(rb"(url\(\s*[\"']?)/(?![/*])")


def adapt(path: Path) -> bool:
    """Change a file where it has to be; tell whether it was."""
    if path.suffix in {".js", ".mjs"}:
        pattern, replacement = _PARTS_AT_ROOT, _BESIDE
    elif path.suffix == ".css":
        pattern, replacement = _ROOT_IN_STYLE, rb"\1"
    else:
        return False
    adapted, count = pattern.subn(replacement, path.read_bytes())
    if count:
        path.write_bytes(adapted)
    return count > 0
