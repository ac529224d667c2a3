"""The commented default file and the README's table of settings, written from the settings classes.

``make reference`` writes them; a test fails when they differ from what is written here.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from config import reference

_INTRODUCTION = """\
dicomveil.toml: every setting, with its default. A file needs to hold only what differs.
Searched for: --config, $DICOMVEIL_CONFIG, ./dicomveil.toml, /etc/dicomveil/dicomveil.toml; without
any, these defaults run. Relative paths are relative to the file. Environment variables override it:
DICOMVEIL_<SECTION>__<KEY>, such as DICOMVEIL_DIMSE__PORT=104, and DICOMVEIL_STATE_DIR.
`dicomveil check-config` reports every mistake, with the nearest valid key.
"""
_EXAMPLES = {
    "metrics.port": "9112",
    "watch[].path": '"/srv/inbox"',
    "watch[].moved_to": '"/srv/received"',
    "key.file": '"/etc/dicomveil/dicomveil.key"',
}
_HEADERS = {
    "watch[]": "[[watch]]",
    "routes[]": "[[routes]]",
    "deidentifiers.NAME": "[deidentifiers.default]",
}
_BEGIN, _END = "<!-- settings: written by `make reference` -->", "<!-- end of settings -->"


def default_file() -> str:
    """Return the commented default file. Loading it gives the same settings as no file at all."""
    lines = [f"# {line}" for line in _INTRODUCTION.splitlines()]
    for heading, section_keys in reference.sections():
        # No folder is watched by default, so that section as a whole is an example.
        mark = "#" if heading == "watch[]" else ""
        if heading:
            lines += [
                "",
                *_comment(reference.about(heading)),
                f"{mark}{_HEADERS.get(heading, f'[{heading}]')}",
            ]
        for key in section_keys:
            lines += [] if heading else [""]
            lines += _comment(key.description)
            value = key.default or _EXAMPLES[key.path]
            lines.append(f"{mark or '#' * (not key.default)}{key.name} = {value}")
    return "\n".join(lines) + "\n"


def markdown_table() -> str:
    """Return the table of settings that the README holds."""
    rows = ["| Key | Default | Meaning |", "|---|---|---|"]
    for key in reference.all_keys():
        default = f"`{key.default}`" if key.default else "not set"
        meaning = f"{key.description} ({key.kind})"
        rows.append(f"| `{key.path}` | {default} | {meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(rows) + "\n"


def splice(document: str) -> str:
    """Return a Markdown document with its table of settings renewed."""
    before, _, rest = document.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{markdown_table()}{_END}{after}"


def _comment(words: str) -> list[str]:
    return textwrap.wrap(words, width=96, initial_indent="# ", subsequent_indent="# ")


def main(readme: Path) -> None:
    """Write the default file, and the table of settings in the README."""
    (Path(__file__).parent / "default.toml").write_text(default_file())
    readme.write_text(splice(readme.read_text()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
