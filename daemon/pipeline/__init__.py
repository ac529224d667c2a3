"""From a received instance to its de-identified twin: routing, worker processes, dispatch.

::

    Receipts.due ──> dispatch ──> instance_workers ══ a pool of processes ══> work
                        │                                                     │ route, de-identify,
    Receipts.settle <───┴─────────────── Result <═════════════════════════════┘ write, describe

``states`` is the table of what may become of a received instance; ``messages`` carries jobs and results
between the processes, ``figures`` what is told to metrics.

`docs/flows/pipeline.md` follows one instance through it, with every way it can end.
"""
