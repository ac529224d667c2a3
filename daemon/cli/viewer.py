"""``dicomveil viewer``: install OHIF, which the service then shows at ``/viewer/``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli import arguments, exit_codes, output
from daemon.cli.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from config import Settings
    from daemon.viewer.installation import Installation

NAME = "viewer"
HELP = "install the OHIF viewer, which the service shows at /viewer/"
EXAMPLES = (
    ("viewer install", "the release that this version was tested with, from the npm registry"),
    (
        "viewer install --from ohif-app.tgz",
        "its package, brought here: without npm, or without internet",
    ),
    ("viewer install --from dist", "a folder, such as a build of your own"),
)

_EPILOG = """\
The viewer's files are put into state_dir, and are served as soon as all of them are there; what was installed
before is removed. A running service need not be started anew."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = f"{HELP}. {_EPILOG}"
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    install = actions.add_parser("install", help="install it, or another release of it")
    install.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="PATH",
        help="its package (a tarball), or a folder with its files; not given: npm gets it",
    )
    arguments.add_config(install)
    install.set_defaults(act=_install)


def run(options: argparse.Namespace) -> int:
    """Do what was asked for."""
    result: int = options.act(options, arguments.settings(options))
    return result


def _install(options: argparse.Namespace, settings: Settings) -> int:
    from daemon.viewer.installation import install, place_in  # noqa: PLC0415
    from daemon.viewer.release import PACKAGE, VERSION  # noqa: PLC0415

    place = place_in(settings.state_dir)
    if options.source is None:
        found = _from_registry(place)
    elif not options.source.exists():
        raise UsageError(f"there is no {options.source}")
    else:
        found = install(options.source, place)
    output.print_line(_told(found))
    if not found.is_pinned:
        output.print_line(
            f"dicomveil was tested with {PACKAGE} {VERSION} as npm has it; this is another."
        )
    output.print_line(f"It is served at {_address(settings)}")
    return exit_codes.OK


def _from_registry(place: Path) -> Installation:
    from daemon.viewer.fetching import fetch  # noqa: PLC0415
    from daemon.viewer.installation import install  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="dicomveil-viewer-") as folder:
        return install(fetch(Path(folder)), place)


def _told(found: Installation) -> str:
    version = f"OHIF {found.version}" if found.version else "OHIF"
    return f"{version} is installed: {len(found.files)} files, {found.bytes / 1e6:.0f} MB"


def _address(settings: Settings) -> str:
    http = settings.http
    if http.public_root:
        return f"{http.public_root.rstrip('/')}/viewer/"
    host = f"[{http.host}]" if ":" in http.host else http.host
    return f"http://{host}:{http.port or 'PORT'}/viewer/"
