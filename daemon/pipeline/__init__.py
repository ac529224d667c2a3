"""From a received instance to its de-identified twin: routing, worker processes, dispatch.

::

    Receipts.due ──> dispatch ──> workers ──> pool ══ socket ══> child ──> work
                        │                                                  │ route, de-identify,
    Receipts.settle <───┴────────────── Result <═══════════════════════════┘ write, describe

`docs/flows/pipeline.md` follows one instance through it, with every way it can end.
"""
