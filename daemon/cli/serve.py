"""``dicomveil serve``: run the service until SIGTERM or Ctrl-C."""

from __future__ import annotations

import gc
import resource
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from daemon.cli import arguments, output
from daemon.cli.errors import CommandFailed
from daemon.importing import without

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from config import Settings

_USUAL_THRESHOLDS = gc.get_threshold()
NAME = "serve"
HELP = "receive, de-identify and serve until stopped"
EXAMPLES = (
    ("serve", "with what is found: ./dicomveil.toml, /etc/dicomveil/dicomveil.toml, else defaults"),
    ("serve --config dicomveil.toml", "with this file"),
    (
        "check-config --config dicomveil.toml && dicomveil serve --config dicomveil.toml",
        "only if nothing is wrong",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    arguments.add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Run the service and return its exit status."""
    with _loading():
        import asyncio  # noqa: PLC0415

        settings = arguments.settings(options)
        arguments.pixels(options, settings)
        _load_pydicom()
        from daemon.app import serve  # noqa: PLC0415
        from daemon.observe import logs  # noqa: PLC0415

    # A core would hold the site key and what is being received.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _allow_descriptors()
    logs.configure(settings.log.level, settings.log.format)
    _make_state_folder(settings.state_dir)
    return asyncio.run(serve(settings, told=_tell, load=lambda: _load(options)))


@contextmanager
def _loading() -> Iterator[None]:
    """Let no collection look through what is loaded: not meanwhile, a tenth of a start, and not later."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.set_threshold(*_USUAL_THRESHOLDS)
        gc.enable()


def _load_pydicom() -> None:
    """Load pydicom without what it decodes pixels and downloads examples with: an eighth of a start.

    This process reads no pixels by it: its workers do.
    """
    with without("numpy", "PIL", "requests", "tqdm"):
        import pynetdicom  # noqa: F401, PLC0415


def _load(options: argparse.Namespace) -> Settings:
    """Return the settings as they are now, all of them checked.

    Raises
    ------
    config.ConfigError
        Naming file and key of everything that is wrong.
    """
    import config  # noqa: PLC0415
    from daemon.cli import check_config  # noqa: PLC0415

    settings = arguments.settings(options)
    file = config.locate(options.config)
    found = check_config.semantic_problems(settings, str(file) if file else "built-in defaults")
    if found:
        raise config.ConfigInvalid(found)
    arguments.pixels(options, settings)
    return settings


def _allow_descriptors() -> None:
    """Have as many files open as the system lets: shells allow 1024, for programs unlike this one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # the system's own limit may have been lowered since
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _make_state_folder(state_dir: Path) -> None:
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(
            f"state_dir {state_dir} cannot be made ({error.strerror}); name another one in "
            "dicomveil.toml, or with DICOMVEIL_STATE_DIR"
        ) from error


def _tell(line: str) -> None:
    """Print at once: whoever started the service may read it through a pipe, or have stopped to."""
    with suppress(OSError):
        output.print_line(line)
        sys.stdout.flush()
