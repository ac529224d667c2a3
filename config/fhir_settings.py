"""The settings of the FHIR stores, and of how resources wait for their studies."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.section import Section

MIB = 1 << 20


class Fhir(Section):
    """The FHIR stores."""

    max_body_bytes: Annotated[int, Field(ge=1)] = Field(
        default=64 * MIB, description="Largest request body accepted, in bytes."
    )
    max_entries: Annotated[int, Field(ge=1)] = Field(
        default=10_000, description="Entries accepted in one batch or transaction."
    )
    max_transaction_bytes: Annotated[int, Field(ge=1)] = Field(
        default=64 * MIB,
        description=(
            "Largest transaction accepted, in bytes: it is held whole until it is done. A batch may be as "
            "large as `max_body_bytes` lets it be."
        ),
    )
    max_file_bytes: Annotated[int, Field(ge=1)] = Field(
        default=2048 * MIB,
        description=(
            "Largest file of resources taken, in bytes of text (of one in gzip, unpacked); larger ones are "
            "quarantined as `inflate_limit`."
        ),
    )
    max_results: Annotated[int, Field(ge=1)] = Field(
        default=1000,
        description="Most resources in one answer; the client follows its link for more.",
    )
    posted_days: Annotated[float, Field(ge=0)] = Field(
        default=30.0,
        description=(
            "Days to keep the file of what was posted or imported once later files tell all of it anew; "
            "0 keeps them. Longer than the oldest backup that may be restored, earlier versions survive that."
        ),
    )
    unassociated_after_s: Annotated[float, Field(gt=0, le=31_536_000)] = Field(
        default=86_400.0,
        description=(
            "Seconds that a resource waits for the study that it belongs to; then it is quarantined as "
            "`unassociated`. (It is looked at again when the study comes.)"
        ),
    )
