"""Settings that are valid one by one and wrong together."""

from __future__ import annotations

import difflib
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from config.settings import Settings

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One conflict between settings.

    Attributes
    ----------
    key
        The key to change; `others` are the top-level keys that the judgement also depends on.
    """

    key: str
    expected: str
    nearest: str = ""
    others: tuple[str, ...] = ()


def find(settings: Settings) -> Iterator[Contradiction]:
    """Yield every contradiction."""
    yield from _open_listeners(settings)
    yield from _open_source(settings)
    yield from _ports(settings)
    yield from _folders(settings)
    yield from _routes(settings)


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a listener on `host`. Names are not resolved."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() in LOOPBACK_NAMES


def _open_listeners(settings: Settings) -> Iterator[Contradiction]:
    if settings.trust.allow_insecure_network:
        return
    listeners = [("dimse", settings.dimse.host), ("http", settings.http.host)]
    if settings.metrics.port is not None:
        listeners.append(("metrics", settings.metrics.host))
    for section, host in listeners:
        if not is_loopback(host):
            yield Contradiction(
                f"{section}.host",
                "this address can be reached from other machines, and the listener has neither "
                'TLS nor authentication: listen on "127.0.0.1" (behind a proxy or tunnel that has '
                "both), or accept the risk with allow_insecure_network = true in [trust]",
                others=("trust",),
            )


def _open_source(settings: Settings) -> Iterator[Contradiction]:
    if (
        "*" in settings.http.cors_origins.get("source", ())
        and not settings.trust.allow_any_origin_on_source
    ):
        yield Contradiction(
            "http.cors_origins",
            'with "*" for source every web page can read what came in: name the origins of your viewers, '
            'give "*" to deid alone (cors_origins = {deid = ["*"]}), or accept the risk with '
            "allow_any_origin_on_source = true in [trust]",
            others=("trust",),
        )


def _ports(settings: Settings) -> Iterator[Contradiction]:
    if settings.http.port and settings.http.port == settings.dimse.port:
        yield Contradiction("http.port", "expected another port than dimse.port", others=("dimse",))
    for section in ("dimse", "http"):
        if settings.metrics.port and settings.metrics.port == getattr(settings, section).port:
            yield Contradiction(
                "metrics.port", f"expected another port than {section}.port", others=(section,)
            )


def _folders(settings: Settings) -> Iterator[Contradiction]:
    state = settings.state_dir
    for number, watch in enumerate(settings.watch):
        key = f"watch[{number}]"
        if watch.path == state or state in watch.path.parents or watch.path in state.parents:
            yield Contradiction(
                f"{key}.path", "expected a folder apart from state_dir", others=("state_dir",)
            )
        for earlier, other in enumerate(settings.watch[:number]):
            if _is_within(watch.path, other.path):
                yield Contradiction(
                    f"{key}.path", f"this folder is already watched by watch[{earlier}].path"
                )
            elif _is_within(other.path, watch.path):
                yield Contradiction(
                    f"{key}.path",
                    f"this folder contains watch[{earlier}].path, which would be taken twice",
                )
        if watch.after == "move":
            for other_number, other in enumerate(settings.watch):
                if _would_be_scanned(watch.destination, other.path):
                    yield Contradiction(
                        f"{key}.moved_to",
                        f"files moved there would be taken again by watch[{other_number}]",
                    )
        if watch.after != "move" and watch.moved_to is not None:
            yield Contradiction(f"{key}.moved_to", 'only used with after = "move"')


def _is_within(inner: Path, outer: Path) -> bool:
    """Say whether one folder is, or lies in, another, links resolved."""
    inner, outer = inner.resolve(), outer.resolve()
    return inner == outer or outer in inner.parents


def _would_be_scanned(target: Path, root: Path) -> bool:
    """Say whether files in `target` are found by a scan of `root`, which leaves out hidden folders."""
    if not _is_within(target, root):
        return False
    way = target.resolve().relative_to(root.resolve())
    return not any(part.startswith(".") for part in way.parts)


def _routes(settings: Settings) -> Iterator[Contradiction]:
    known = list(settings.deidentifiers)
    if (
        "routes" not in settings.model_fields_set
        and known
        and settings.routes[0].deidentifier not in known
    ):
        yield Contradiction(
            "routes",
            f"expected a [[routes]] with one of these as its deidentifier: {', '.join(known)}; without any,"
            f" all goes by {settings.routes[0].deidentifier!r}, which [deidentifiers] does not have",
            others=("deidentifiers",),
        )
        return
    for number, route in enumerate(settings.routes):
        if route.deidentifier not in known:
            yield Contradiction(
                f"routes[{number}].deidentifier",
                f"expected the name of a table in [deidentifiers]: {', '.join(known) or 'none is defined'}",
                nearest=next(iter(difflib.get_close_matches(route.deidentifier, known, n=1)), ""),
                others=("deidentifiers",),
            )
    named = [route.name for route in settings.routes]
    for number, name in enumerate(named):
        if name and name in named[:number]:
            yield Contradiction(
                f"routes[{number}].name", "expected a name that no earlier route has"
            )
