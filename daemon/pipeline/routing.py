"""Which deidentifier an instance goes to. Pure: facts in, a route or None out.

The first route that matches wins. A route matches when each condition that it gives holds; a
condition holds when one of its patterns matches one of the instance's values.

How values are compared
-----------------------
``calling_ae``, ``called_ae``
    Globs over the AE title without leading and trailing spaces (PS3.5 6.2); case matters, as it
    does in DICOM.
``peer``
    A network such as ``10.1.0.0/16`` (or a bare address), or a glob over the address or over the
    watched folder's path; case matters.
``receiver``
    ``dimse``, ``stow`` or ``watch``. An instance whose row was lost came from nobody knows where: where a
    route's conditions on the header hold, and it has others, the instance is unrouted.
``modality``, ``header``
    Globs over the values of the element at the top level of the dataset, without leading and
    trailing spaces; case does not matter. Any value of several may match. ``*`` needs some value;
    the empty pattern matches an element that is absent or empty.
``sop_class``
    Globs over the UID and over the keyword of the standard's dictionary (``CTImageStorage``); case
    does not matter.

A glob knows ``*``, ``?``, ``[abc]`` and ``[!abc]``.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from fnmatch import translate
from functools import cached_property, lru_cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Self

from daemon.records import Receiver
from deid.tables.dictionary import uids

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from ipaddress import IPv4Network, IPv6Network

    from config import settings
    from daemon.records import Origin


@dataclass(frozen=True)
class Route:
    """One rule (`config.settings.Route`) as it travels to the workers; a condition may be empty."""

    deidentifier: str
    name: str
    receiver: str
    calling_ae: tuple[str, ...]
    called_ae: tuple[str, ...]
    peer: tuple[str, ...]
    modality: tuple[str, ...]
    sop_class: tuple[str, ...]
    header: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, section: settings.Route) -> Self:
        """Return what a site decided. Here and not in a worker, which does without pydantic."""
        return cls.from_document(section.model_dump(mode="json"))

    def document(self) -> dict[str, Any]:
        """Return it as JSON; `from_document` turns it back."""
        return {**asdict(self), "header": {key: list(globs) for key, globs in self.header.items()}}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return what `document` made."""
        conditions = ("calling_ae", "called_ae", "peer", "modality", "sop_class")
        return cls(
            deidentifier=document["deidentifier"],
            name=document["name"],
            receiver=document["receiver"],
            header={key: tuple(globs) for key, globs in document["header"].items()},
            **{condition: tuple(document[condition]) for condition in conditions},
        )

    def matches(self, origin: Origin, facts: HeaderFacts) -> bool:
        """Return whether every given condition holds."""
        return (
            self.receiver in {"", origin.receiver.value}
            and _holds(self.calling_ae, [origin.calling_ae.strip(" ")])
            and _holds(self.called_ae, [origin.called_ae.strip(" ")])
            and (not self.peer or _is_from(self._networks, self.peer, origin.peer))
            and self.matches_header(facts)
        )

    @property
    def asks_origin(self) -> bool:
        """Whether a condition is about where an instance came from."""
        return bool(self.receiver or self.calling_ae or self.called_ae or self.peer)

    def matches_header(self, facts: HeaderFacts) -> bool:
        """Return whether every condition about the header holds."""
        return (
            _holds_fold(self.sop_class, facts.sop_class_names)
            and _holds_fold(self.modality, facts.of("Modality"))
            and all(_holds_fold(globs, facts.of(key)) for key, globs in self.header.items())
        )

    @cached_property
    def _networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(network for glob in self.peer if (network := _network(glob)) is not None)


@dataclass(frozen=True)
class HeaderFacts:
    """What routes may know of an instance's header.

    Attributes
    ----------
    values
        Values by keyword of top-level elements; absent ones may be left out.
    """

    sop_class_uid: str
    values: Mapping[str, Sequence[str]]

    def of(self, keyword: str) -> list[str]:
        """Return the values that say something; one empty value when there is none."""
        stripped = (value.strip(" \0") for value in self.values.get(keyword, ()))
        return [value for value in stripped if value] or [""]

    @cached_property
    def sop_class_names(self) -> list[str]:
        """The SOP class's UID, and its keyword when the standard has one."""
        entry = uids().get(self.sop_class_uid)
        return [self.sop_class_uid, entry.keyword] if entry else [self.sop_class_uid]


def route(origin: Origin, facts: HeaderFacts, routes: Sequence[Route]) -> Route | None:
    """Return the first route that matches, or None: the instance is kept and not passed on.

    Where an instance came from may have been lost with its row (`Receiver.RECOVERED`). Then a route that
    asks for it may or may not be meant, and none after it can be taken either.
    """
    for candidate in routes:
        if origin.receiver is Receiver.RECOVERED and candidate.asks_origin:
            if candidate.matches_header(facts):
                return None
        elif candidate.matches(origin, facts):
            return candidate
    return None


def named(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Return the routes, those without a name called by their place (``routes[0]``)."""
    return tuple(
        each if each.name else replace(each, name=f"routes[{index}]")
        for index, each in enumerate(routes)
    )


def keywords(routes: Iterable[Route]) -> frozenset[str]:
    """Return the keywords of the elements that the routes ask about."""
    asked = {keyword for each in routes for keyword in each.header}
    if any(each.modality for each in routes):
        asked.add("Modality")
    return frozenset(asked)


def _holds(globs: tuple[str, ...], values: Sequence[str]) -> bool:
    return not globs or any(_regex(glob, 0).match(value) for glob in globs for value in values)


def _holds_fold(globs: tuple[str, ...], values: Sequence[str]) -> bool:
    return not globs or any(
        _regex(glob, re.IGNORECASE).match(value) if value else not glob
        for glob in globs
        for value in values
    )


def _is_from(
    networks: tuple[IPv4Network | IPv6Network, ...], globs: tuple[str, ...], peer: str
) -> bool:
    if _holds(globs, [peer]):
        return True
    try:
        address = ip_address(peer)
    except ValueError:
        return False  # a watched folder
    # An IPv4 peer of a socket that listens on IPv6 comes as ::ffff:10.1.2.3.
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks)


def _network(glob: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(glob, strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _regex(glob: str, flags: int) -> re.Pattern[str]:
    return re.compile(translate(glob), flags)
