"""What may not be looked at is named, and what else there is goes on; what is no box is told what one is."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from daemon.batch.inputs import UNREADABLE, walk
from daemon.cli import check_config, deciding
from daemon.receive.archive import ArchiveLimits


def _denied(_self: Path) -> bool:
    raise PermissionError(13, "Permission denied")


def test_a_watched_folder_that_may_not_be_looked_at_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert check_config._absence(tmp_path) == ""
    assert "not there now" in check_config._absence(tmp_path / "none")
    monkeypatch.setattr(Path, "is_dir", _denied)
    assert "cannot be looked at now (Permission denied)" in check_config._absence(tmp_path)


def test_what_is_wrong_with_a_box_is_said_with_what_one_is() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="X,Y,WIDTH,HEIGHT"):
        deciding._box("abc")
    assert deciding._box("2:1,2,3,4").frame == 2


def test_an_input_below_a_folder_that_may_not_be_entered_is_one_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Path, "is_dir", _denied)
    (found,) = walk([tmp_path / "closed" / "a.dcm"], (), ArchiveLimits(), None)
    assert found.refuse == UNREADABLE
