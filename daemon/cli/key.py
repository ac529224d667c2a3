"""``dicomveil key``: which site key made what is stored, and changing it deliberately."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli import arguments, exit_codes, output, service_key, state
from daemon.cli.errors import CommandFailed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from config import Settings

NAME = "key"
HELP = "show, make or import the site key that all replacements follow from"
EXAMPLES = (
    ("key show", "which key is in use, and which made what is stored"),
    ("key new", "another one from now on; the earlier is kept beside it"),
    ("key import site.key", "the one in a file"),
)

_EPILOG = """\
With another key, what arrives from now on of a known patient gets another pseudonym, other UIDs and other
dates. The earlier key is kept beside the new one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = f"{HELP}. {_EPILOG}"
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="print the ids of the key and of what is stored")
    arguments.add_config(show)
    arguments.add_json(show)
    show.set_defaults(act=_show)
    new = actions.add_parser("new", help="make a new key in state_dir; the service must not run")
    arguments.add_config(new)
    new.set_defaults(act=_new)
    imported = actions.add_parser(
        "import", help="use the key in FILE from now on; the service must not run"
    )
    imported.add_argument("file", type=Path, metavar="FILE", help="32 bytes, mode 0600")
    arguments.add_config(imported)
    imported.set_defaults(act=_import)


def run(options: argparse.Namespace) -> int:
    """Do what was asked for."""
    result: int = options.act(options, arguments.settings(options))
    return result


def _show(options: argparse.Namespace, settings: Settings) -> int:
    known = service_key.remembered(settings)
    made_by = known.key_id
    is_unseen = service_key.is_unseen(known, settings)
    path, key_id = (None, "") if is_unseen else _in_use(settings)
    if options.json:
        output.print_json(
            {
                "file": str(path) if path else None,
                "key_id": key_id or None,
                "stored_by": made_by or None,
                "earlier": list(known.earlier),
            }
        )
    else:
        output.print_line(
            f"{path}: {f'key {key_id}' if key_id else 'no key'}"
            if path
            else f"the service has its key as {service_key.UNSEEN}"
        )
        for line in _told_makers(made_by, known.earlier):
            output.print_line(line)
    is_other = bool(made_by) and not is_unseen and made_by != key_id
    return exit_codes.FAILED if is_other else exit_codes.OK


def _told_makers(made_by: str, earlier: Sequence[str]) -> list[str]:
    if not made_by:
        return ["nothing was made with any key yet"]
    if not earlier:
        return [f"what is stored was made with key {made_by}"]
    before = f"{'key' if len(earlier) == 1 else 'keys'} {', '.join(earlier)}"
    return [
        f"what was stored before the key was changed was made with {before}",
        f"what is stored from then on is made with key {made_by}",
    ]


def _new(_: argparse.Namespace, settings: Settings) -> int:
    from daemon.deidentifiers.key_file import new_secret  # noqa: PLC0415

    return _install(settings, new_secret())


def _import(options: argparse.Namespace, settings: Settings) -> int:
    from daemon.deidentifiers.key_file import read_key_file  # noqa: PLC0415

    path, _ = _in_use(settings)
    secret = read_key_file(options.file)
    if settings.key.file is not None and options.file.resolve() != path.resolve():
        raise CommandFailed(
            f"key.file in the configuration names {path}: put the key there, then import that file"
        )
    if options.file.resolve() == path.resolve() or _is_credential(settings):
        return _accept(settings, secret)
    return _install(settings, secret)


def _install(settings: Settings, secret: bytes) -> int:
    from daemon.deidentifiers.key_file import replace_key_file  # noqa: PLC0415

    if settings.key.file is not None:
        raise CommandFailed(
            f"key.file in the configuration names {settings.key.file}: put the key there, then import that file"
        )
    if _is_credential(settings):
        raise CommandFailed(
            "the service has its key as the credential dicomveil.key of systemd: put another one into the file"
            " that LoadCredential= of its unit names, then accept that file by `dicomveil key import`"
        )
    _refuse_running(settings)
    path, _ = _in_use(settings)
    earlier = replace_key_file(path, secret)
    if earlier is not None:
        output.print_line(f"the earlier key is {earlier}")
    return _accept(settings, secret)


def _accept(settings: Settings, secret: bytes) -> int:
    """Remember that what is made from now on is made with this key."""
    from daemon.store import witnesses  # noqa: PLC0415
    from deid.identity.keys import SiteKey  # noqa: PLC0415

    _refuse_running(settings)
    key = SiteKey(secret)
    if state.is_there(settings):
        with state.connected(settings) as (session, _), session.atomically():
            witnesses.accept_other_key(session, key.id)
    output.print_line(f"the site key is {key.id} now")
    return exit_codes.OK


def _in_use(settings: Settings) -> tuple[Path, str]:
    """Return where the key of the service lies, and its id; empty if there is none."""
    from daemon.deidentifiers.key_file import read_key_file  # noqa: PLC0415
    from daemon.deidentifiers.site_key import key_place  # noqa: PLC0415
    from deid.identity.keys import SiteKey  # noqa: PLC0415

    path = key_place(settings).path
    return path, SiteKey(read_key_file(path)).id if path.exists() else ""


def _is_credential(settings: Settings) -> bool:
    from daemon.deidentifiers.site_key import key_place  # noqa: PLC0415

    place = key_place(settings)
    return place.is_credential or (place.is_ours and service_key.remembered(settings).is_credential)


def _refuse_running(settings: Settings) -> None:
    from daemon.store.layout import Layout  # noqa: PLC0415

    if state.is_running(Layout(settings.state_dir)):
        raise CommandFailed(f"the service is using {settings.state_dir}; stop it first")
