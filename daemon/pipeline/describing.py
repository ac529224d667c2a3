"""What the index of a store is told of a whole file."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from daemon.records import StoredInstance
from dicomweb.describe import describe

if TYPE_CHECKING:
    import mmap


def stored_instance(blob: str, buffer: mmap.mmap | bytes, dataset_offset: int) -> StoredInstance:
    """Describe a Part 10 file, whose data set begins at `dataset_offset`, for the index of its store.

    Raises
    ------
    DescribeError
        If it is no instance that could be indexed.
    """
    described = describe(buffer)
    with memoryview(buffer) as whole:
        return StoredInstance(
            study_uid=described.study_uid,
            series_uid=described.series_uid,
            sop_instance_uid=described.sop_instance_uid,
            sop_class_uid=described.sop_class_uid,
            transfer_syntax_uid=described.transfer_syntax_uid,
            blob=blob,
            size=len(whole),
            digest=sha256(whole).hexdigest(),
            dataset_digest=sha256(whole[dataset_offset:]).hexdigest(),
            number_of_frames=described.number_of_frames,
            metadata=described.metadata,
            study=described.study,
            series=described.series,
            instance=described.instance,
            keys=described.keys,
        )
