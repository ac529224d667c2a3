"""``dicomveil deid``: the same core as the daemon's, run once over files and folders.

::

    inputs (walk, in sorted order) --> worker processes --> output, in the order of the inputs
                                       (daemon.workers)     |-- DIR/<patient>/<study>/<series>/...
                                                            |-- DIR/refused.jsonl: input numbers, reasons
                                                            `-- outside DIR: report, quarantine

`run` is where to begin reading. The order of commitment is that of the inputs, whatever the
number of workers, so that the same inputs give the same bytes under the same names.
"""
