"""What a worker does with a resource that is to be de-identified: once for each deidentifier of its studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.observe.traces import trace
from daemon.pipeline.fhir_reading import content_of
from daemon.resources import Retold, RetoldResource
from daemon.workers.reasons import WorkerReason
from deid.errors import Reason, Unsafe
from deid.fhir.context import Context
from deid.fhir.deidentify import deidentify
from deid.identity.identifiers import KnownIdentifier
from deid.identity.keys import parts_of_identity, patient_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.resources import ToRetell
    from deid.fhir.plan import FhirPlan
    from deid.plan import Plan

_WHERE_LENGTH = 500


def retell(job: ToRetell, plans: Mapping[str, Plan]) -> Retold:
    """Return what became of a resource: a result of each deidentifier, or why there is none at all.

    Raises
    ------
    MemoryError
        When it needs more than this process may have.
    """
    outputs = []
    for name in job.deidentifiers:
        plan = plans[name].fhir if name in plans else None
        if plan is None:
            return _refused(job, Reason.NOT_CONFIGURED.value, name)
        try:
            output = _retold(job, plan, name)
        except Unsafe as unsafe:
            return _refused(job, unsafe.reason.value, unsafe.where)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 (our bug: set it aside, say where, say no value)
            return _refused(job, WorkerReason.INTERNAL_ERROR.value, trace(error))
        if output is None:
            return _refused(job, Reason.RESOURCE_NOT_LISTED.value, "")
        outputs.append(output)
    return Retold(job.number, job.wanted, tuple(outputs))


def _retold(job: ToRetell, plan: FhirPlan, name: str) -> RetoldResource | None:
    patient = identity_of(job.patient, plan.policy.default_issuer)
    context = Context(
        dict.fromkeys(job.addresses, patient),
        patient,
        tuple(KnownIdentifier(value, kind) for kind, value in job.known),
    )
    # Lines: the patients whom it refers to tell whose it is, where no study does.
    lines = b"".join(each + b"\n" for each in (*job.around, job.resource))
    document = lines if job.around else job.resource
    result = deidentify(document, plan, context)
    if len(result.document.resources) != len(job.around) + 1:
        return None
    resource = result.document.resources[-1]
    resource_id = resource.get("id")
    if not isinstance(resource_id, str):
        raise Unsafe(Reason.MALFORMED, "id")
    return RetoldResource(name, resource_id, content_of(resource), result.outcome.to_json())


def identity_of(patient: str, default_issuer: str) -> str:
    """Return a patient's identity as the instances of a deidentifier have it (`deid.identity.facts`)."""
    issuer, patient_id = parts_of_identity(patient)
    if not patient_id:
        return patient
    issuer = (issuer or default_issuer) if default_issuer else ""
    return patient_identity(issuer, patient_id, "")


def _refused(job: ToRetell, reason: str, where: str) -> Retold:
    return Retold(job.number, job.wanted, reason=reason, where=where[:_WHERE_LENGTH])
