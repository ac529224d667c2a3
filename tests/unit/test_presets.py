"""Every preset that is shipped can be read and compiled."""

from __future__ import annotations

import pytest

import deid
from config.presets import names
from daemon.deidentifiers.configuration_files import resolve
from deid.identity.keys import SiteKey


@pytest.mark.parametrize("name", names())
def test_a_preset_is_read_and_compiled(name: str) -> None:
    plan = deid.compile_plan(resolve(name), SiteKey(bytes(range(32))))
    assert plan.covers
