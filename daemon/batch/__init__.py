"""``dicomveil deid``: the same core as the daemon's, run once over files and folders.

::

    inputs (walk, in sorted order) --> worker processes --> output, in the order of the inputs
                                       (daemon.workers)     |-- DIR/<patient>/<study>/<series>/...
                                                            |-- DIR/.quarantine/<id>.dcm, <id>.json
                                                            `-- the report, one record per input

`run` is where to begin reading. The order of commitment is that of the inputs, whatever the
number of workers, so that the same inputs give the same bytes under the same names.
"""
