"""``dicomveil deid``: the same core as the daemon's, run once over files and folders.

::

    inputs (walk, in sorted order) --> worker processes --> output, in the order of the inputs
                                       (daemon.workers)     |-- DIR/<patient>/<study>/<series>/...
                                                            |-- DIR/.quarantine/<id>.dcm, <id>.json
                                                            `-- the report, one record per input

`run` is where to begin reading. The order of commitment is that of the inputs, whatever the
number of workers, so that the same inputs give the same bytes under the same names.
"""

from __future__ import annotations

from daemon.batch.errors import BatchFailed, BatchInterrupted, BatchRefused
from daemon.batch.progress import progress_bar
from daemon.batch.request import BatchProgress, BatchRequest, BatchSummary
from daemon.batch.run import run_batch

__all__ = [
    "BatchFailed",
    "BatchInterrupted",
    "BatchProgress",
    "BatchRefused",
    "BatchRequest",
    "BatchSummary",
    "progress_bar",
    "run_batch",
]
