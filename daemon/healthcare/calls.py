"""One call of a method of the API, as those see it who answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daemon.healthcare import bodies
from deid.configuration.proto_json import camel

if TYPE_CHECKING:
    from daemon.healthcare.methods import Method

GLOBAL_PARAMETERS: Final = frozenset(
    {
        "$.xgafv",
        "$alt",
        "access_token",
        "alt",
        "callback",
        "fields",
        "key",
        "oauth_token",
        "prettyPrint",
        "quotaUser",
        "uploadType",
        "upload_protocol",
    }
)
"""Query parameters that every method takes; none has an effect here."""


def parameters(query: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return a query's parameters but the global ones, ``page_size`` as ``pageSize``, as bodies have it."""
    return {camel(name): value for name, value in query if name not in GLOBAL_PARAMETERS}


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked.

    Attributes
    ----------
    path
        Parameters of the method's path, in order.
    query
        Without the global parameters.
    body
        As it came: `checked` says what it means.
    """

    version: str
    method: Method
    path: tuple[str, ...]
    query: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def dataset(self) -> str:
        """The full name of the dataset that the path names."""
        project, location, dataset, *_more = self.path
        return f"projects/{project}/locations/{location}/datasets/{dataset}"

    def checked(self, message: str) -> dict[str, Any]:
        """Return what the body says, as a message of this version.

        Raises
        ------
        InvalidArgument
        """
        return bodies.checked(self.version, message, self.body)


Answer = dict[str, Any]
Handler = Callable[[Call], Awaitable[Answer]]
Handlers = Mapping[str, Handler]
"""Who answers which method."""
