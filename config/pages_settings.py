"""The settings of the pages for people."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from config.section import Section


class Pages(Section):
    """The pages for people, among the web services (docs/pages.md)."""

    shown: Literal["loopback", "always", "never"] = Field(
        default="loopback",
        description=(
            "Whether there are pages: `loopback` is only while `http.host` is an address that no other "
            "machine reaches."
        ),
    )
    source: bool = Field(
        default=True,
        description=(
            "Whether the pages below `/source/`, which show what came in, names and all, are among them. "
            "They never are on another address than loopback."
        ),
    )
