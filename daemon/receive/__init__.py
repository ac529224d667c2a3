"""The ways in: C-STORE (`dimse`), STOW-RS (`stow`), watched folders (`watch`).

Each makes what comes durable through `daemon.ports.Spool` before it says that it has it, and asks one `gate`
whether it may. `structure` tells what a dropped file is, `archive` reads zip archives; both are
`daemon.batch`'s, too.
"""
