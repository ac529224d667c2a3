"""What is answered with an error.

::

    FhirError                   status, and the code of its issue (FHIR R4, value set issue-type)
    |-- BadRequest              400 invalid
    |-- NotFound                404 not-found
    |-- NotAllowed              405 not-supported
    |-- NotAcceptable           406 not-supported
    |-- Conflict                409 conflict
    |-- Gone                    410 deleted
    |-- PreconditionFailed      412 conflict, or multiple-matches
    |-- PayloadTooLarge         413 too-long
    |-- UnsupportedMedia        415 not-supported
    |-- Unprocessable           422 processing
    `-- Unavailable             503 transient

Their text names parameters and places, never a value.
"""

from __future__ import annotations

from typing import ClassVar


class FhirError(Exception):
    """The base of all."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "exception"

    @property
    def issue(self) -> str:
        """The code of the issue."""
        return self.code


class BadRequest(FhirError):
    """The request makes no sense."""

    status = 400
    code = "invalid"


class NotFound(FhirError):
    """There is no such resource, and never was."""

    status = 404
    code = "not-found"


class NotAllowed(FhirError):
    """The store does not do that."""

    status = 405
    code = "not-supported"


class NotAcceptable(FhirError):
    """The client takes nothing that there is."""

    status = 406
    code = "not-supported"


class Conflict(FhirError):
    """Somebody else changed it meanwhile."""

    status = 409
    code = "conflict"


class Gone(FhirError):
    """The resource was deleted."""

    status = 410
    code = "deleted"


class PreconditionFailed(FhirError):
    """What the client made a condition does not hold."""

    status = 412
    code = "conflict"


class MultipleMatches(PreconditionFailed):
    """A conditional request means more than one resource."""

    code = "multiple-matches"


class PayloadTooLarge(FhirError):
    """The body is too long."""

    status = 413
    code = "too-long"


class UnsupportedMedia(FhirError):
    """The body is of another media type."""

    status = 415
    code = "not-supported"


class Unprocessable(FhirError):
    """The body is no FHIR resource that can be stored."""

    status = 422
    code = "processing"


class Unavailable(FhirError):
    """There is no room now, or the store is away; the client may ask again."""

    status = 503
    code = "transient"
