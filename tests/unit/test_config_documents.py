"""Settings classes, default file and README say the same."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import config
from config import Settings, documents, presets, reference
from config.section import Section

ROOT = Path(config.__file__).parents[1]
DEFAULT_FILE = ROOT / "config" / "default.toml"
README = ROOT / "README.md"


def test_every_setting_says_what_it_is() -> None:
    assert [key.path for key in reference.all_keys() if len(key.description) < 15] == []


def test_a_setting_with_a_unit_names_it() -> None:
    units = {"_s": "second", "_bytes": "bytes", "_days": "days", "_mb_s": "seconds"}
    unnamed = [
        key.path
        for key in reference.all_keys()
        for ending, unit in units.items()
        if key.name.endswith(ending) and unit not in key.description.lower()
    ]
    assert unnamed == []


def test_the_default_file_is_as_the_classes_say() -> None:
    assert DEFAULT_FILE.read_text() == documents.default_file(), "run `make reference`"


def test_the_default_file_loads_as_the_defaults() -> None:
    assert config.load(DEFAULT_FILE, {}) == Settings()


def test_the_default_file_names_every_setting() -> None:
    lines = [line.lstrip("#").strip() for line in DEFAULT_FILE.read_text().splitlines()]
    missing = [
        key.path
        for key in reference.all_keys()
        if not any(line.startswith(f"{key.name} = ") for line in lines)
    ]
    assert missing == []


def test_the_default_file_with_its_examples_taken_in_is_valid(tmp_path: Path) -> None:
    lines = DEFAULT_FILE.read_text().splitlines()
    taken_in = [
        line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in lines
    ]
    everything = tomllib.loads("\n".join(taken_in))
    assert everything["watch"][0]["path"] == "/srv/inbox"
    assert everything["key"]["file"] == "/etc/dicomveil/dicomveil.key"


def test_the_readme_holds_the_table_of_settings() -> None:
    text = README.read_text()
    assert documents.splice(text) == text, "run `make reference`"
    assert documents.markdown_table() in text


def test_every_shipped_preset_can_be_read() -> None:
    assert "basic" in presets.names()
    assert all(presets.resolve(name) for name in presets.names())


def test_no_part_of_the_program_says_a_default_again() -> None:
    defaults = {
        (name, repr(field.get_default(call_default_factory=True)))
        for section in Section.__subclasses__()
        for name, field in section.model_fields.items()
    }
    again = [
        f"{path.relative_to(ROOT)}:{statement.lineno} {statement.target.id}"
        for room in ("daemon", "dicomweb")
        for path in ROOT.joinpath(room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        if statement.value is not None and _value(statement.value) not in _EMPTY
        if (statement.target.id, repr(_value(statement.value))) in defaults
    ]
    assert again == []


_EMPTY = (None, "", (), 0)


def _value(expression: ast.expr) -> object:
    """Return what an expression of literals is, such as ``16 << 30``; None for any other."""
    try:
        return eval(compile(ast.Expression(expression), "", "eval"), {})
    except NameError:
        return None
