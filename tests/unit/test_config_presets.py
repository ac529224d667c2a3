"""The shipped presets."""

from __future__ import annotations

import pytest

from config import presets
from daemon.deidentifiers.configuration_files import resolve
from deid.configuration.document import parse_configuration


@pytest.mark.parametrize("name", presets.names())
def test_every_shipped_preset_is_read_as_a_site_would_read_it_and_makes_sense(name: str) -> None:
    assert parse_configuration(resolve(name)).covers
