"""The command line: one module per command, wired in `daemon.cli.main`."""
