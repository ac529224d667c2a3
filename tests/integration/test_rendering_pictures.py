"""The processes that draw: started when needed, asked once for the same picture, not killed for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.rendering.pictures import Pictures
from dicomweb.errors import FileDamaged, NotRenderable
from dicomweb.ports import InstanceFile, Picture
from tests.dicomweb_service import LIMITS
from tests.picture_samples import SERIES, STUDY, as_bytes, make_image, ramp

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

JPEG = Picture("image/jpeg")


def kept(dataset: Dataset, folder: Path) -> InstanceFile:
    path = folder / str(dataset.SOPInstanceUID)
    path.write_bytes(as_bytes(dataset))
    return InstanceFile(
        study_uid=STUDY,
        series_uid=SERIES,
        sop_instance_uid=dataset.SOPInstanceUID,
        sop_class_uid=dataset.SOPClassUID,
        transfer_syntax_uid=dataset.file_meta.TransferSyntaxUID,
        number_of_frames=1,
        path=path,
        size=path.stat().st_size,
    )


async def test_no_process_is_started_before_the_first_picture(tmp_path: Path) -> None:
    file = kept(make_image(ramp()), tmp_path)
    async with Pictures(LIMITS) as pictures:
        assert pictures._pool.pids == []
        await pictures.draw(file, JPEG)
        assert len(pictures._pool.pids) == 1


async def test_the_same_picture_is_drawn_once(tmp_path: Path) -> None:
    file = kept(make_image(ramp()), tmp_path)
    async with Pictures(LIMITS) as pictures:
        drawn = await pictures.draw(file, JPEG)
        file.path.unlink()
        assert await pictures.draw(file, JPEG) == drawn
        other = replace(file, path=tmp_path / "other")
        with pytest.raises((FileDamaged, NotRenderable)):
            await pictures.draw(other, JPEG)


async def test_pictures_that_are_kept_take_no_more_than_their_room(tmp_path: Path) -> None:
    file = kept(make_image(ramp(64, 64)), tmp_path)
    async with Pictures(LIMITS, kept_bytes=20_000) as pictures:
        for quality in range(1, 60):
            await pictures.draw(file, replace(JPEG, quality=quality))
            held = sum(map(len, pictures._kept.values()))
            assert held == pictures._held_bytes <= 20_000
        assert len(pictures._kept) > 1


async def test_what_took_two_processes_down_is_not_tried_again(tmp_path: Path) -> None:
    bomb = kept(make_image(np.zeros((6000, 6000), np.uint16)), tmp_path)
    fine = kept(make_image(ramp()), tmp_path)
    async with Pictures(replace(LIMITS, memory_bytes=220 << 20)) as pictures:
        for _ in range(2):
            with pytest.raises(NotRenderable):
                await pictures.draw(bomb, JPEG)
        assert await pictures.draw(fine, JPEG)
        alive = pictures._pool.pids
        with pytest.raises(NotRenderable):
            await pictures.draw(bomb, JPEG)
        assert pictures._pool.pids == alive
