"""How much a study, a series or an instance takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daemon.healthcare import names
from daemon.healthcare.errors import NotFound
from daemon.store.rows import StoreKind
from dicomweb.ports import Resource

if TYPE_CHECKING:
    from daemon.healthcare.calls import Answer, Call, Handlers
    from daemon.store.ports import Database, Session
    from daemon.store.rows import LocatedInstance

_PREFIX: Final = "projects.locations.datasets.dicomStores.dicomWeb.studies."
_UID: Final = re.compile(r"[0-9.]{1,64}")


class Measuring:
    """Answers the methods that measure below a DICOM store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def handlers(self) -> Handlers:
        """Who answers which method."""
        return {
            f"{_PREFIX}getStudyMetrics": self._study,
            f"{_PREFIX}series.getSeriesMetrics": self._series,
            f"{_PREFIX}series.instances.getStorageInfo": self._instance,
        }

    async def _study(self, call: Call) -> Answer:
        found = await self._located(call)
        series = {each.series_uid for each in found}
        return {"study": _name(call), "seriesCount": str(len(series)), **_sizes(found)}

    async def _series(self, call: Call) -> Answer:
        return {"series": _name(call), **_sizes(await self._located(call))}

    async def _instance(self, call: Call) -> Answer:
        (found,) = await self._located(call)
        # Google's classes are prices; what lies on this machine is at hand at once.
        blob = {"sizeBytes": str(found.size), "storageClass": "STANDARD"}
        return {"referencedResource": _name(call), "blobStorageInfo": blob}

    async def _located(self, call: Call) -> list[LocatedInstance]:
        uids = call.path[4:]
        store = f"{call.dataset}/dicomStores/{call.path[3]}"

        def read(session: Session) -> list[LocatedInstance]:
            found = names.existing_store(session, store, StoreKind.DICOM)
            if not all(_UID.fullmatch(each) for each in uids):
                return []
            return session.instances.locate(found, Resource(*uids))

        found = await self._database.read(read)
        if not found:
            raise NotFound("there is no such study, series or instance")
        return found


def _name(call: Call) -> str:
    levels = ("studies", "series", "instances")
    path = "/".join(f"{level}/{uid}" for level, uid in zip(levels, call.path[4:], strict=False))
    return f"{call.dataset}/dicomStores/{call.path[3]}/dicomWeb/{path}"


def _sizes(found: list[LocatedInstance]) -> dict[str, str]:
    return {
        "instanceCount": str(len(found)),
        "blobStorageSizeBytes": str(sum(each.size for each in found)),
    }
