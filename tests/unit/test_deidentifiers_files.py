"""Files with de-identification configurations, as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config import ConfigError
from daemon.deidentifiers.configuration_files import resolve

if TYPE_CHECKING:
    from pathlib import Path


def test_single_quoted_json_of_a_file_is_understood(tmp_path: Path) -> None:
    file = tmp_path / "tutorial.json"
    file.write_text("{'dicom': {'filterProfile': 'KEEP_ALL_PROFILE'}}")
    assert resolve(str(file)) == {"dicom": {"filterProfile": "KEEP_ALL_PROFILE"}}


def test_what_is_no_json_at_all_is_refused_by_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_text("{bad")
    with pytest.raises(ConfigError, match=r"is not JSON: .* line 1, column 2"):
        resolve(str(file))
