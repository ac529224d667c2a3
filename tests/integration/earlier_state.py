"""Makes a state, and tells what a state answers, by whatever version of the service it is run with.

Run as ``python -m earlier_state make|tell STATE_DIR [INSTANCES]`` in a folder with the sources of a version and
this file. It uses only what the version of commit 7beb5fa has, too.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.pipeline import work
from daemon.pipeline.messages import job_message, result_from
from daemon.records import Origin, Receiver
from daemon.store.stores import Stores
from dicomweb.ports import Query, Resource
from tests.factories import many_ct

if TYPE_CHECKING:
    from dicomweb.ports import Level

CONFIGURATION = {"dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"}, "text": {}}
ROUTE: dict[str, Any] = {
    **dict.fromkeys(("receiver", "peer", "called_ae", "modality", "sop_class"), ()),
    "receiver": "",
    "calling_ae": ("MODALITY",),
    "header": {},
    "name": "all",
    "deidentifier": "default",
}
LEVELS: tuple[Level, ...] = ("study", "series", "instance")
SEARCHES: tuple[dict[str, list[str]], ...] = (
    {},
    {"PatientName": ["*a*"]},
    {"StudyDate": ["20000101-20991231"]},
    {"ModalitiesInStudy": ["CT"]},
    {"PatientID": ["nobody"]},
)


async def receive(stores: Stores, content: bytes) -> str:
    file = stores.spool.open(Origin(Receiver.DIMSE, "MODALITY", "DICOMVEIL", "127.0.0.1"))
    file.write(content)
    return (await file.commit()).id


async def make(state_dir: Path, count: int = 30) -> None:
    """Store studies of ten; quarantine, leave unrouted and send twice one instance each; leave two waiting."""
    stores = await Stores.open(state_dir)
    handle = work.start(
        {
            "routes": [ROUTE],
            "deidentifiers": {"default": CONFIGURATION},
            "database": str(stores.layout.database),
            "pixels": {},
        },
        bytes(range(32)),
    )
    contents = list(many_ct(count, rows=8, per_study=10, seed=5))
    for content in (*contents, contents[0][:600], contents[1]):
        await receive(stores, content)
    while due := await stores.receipts.due(10, []):
        results = []
        for receipt in due:
            job = stores.receipts.job(receipt)
            results.append(result_from(handle(job_message(job)), job))
        await stores.receipts.settle(results)
    for content in many_ct(2, rows=8, seed=6):
        await receive(stores, content)
    await stores.close()


async def tell(state_dir: Path) -> dict[str, Any]:
    """Return everything that both stores answer, and what waits."""
    stores = await Stores.open(state_dir)
    try:
        found: dict[str, Any] = {
            "due": [receipt.id for receipt in await stores.receipts.due(100, [])]
        }
        of_name = {
            "source": stores.source,
            "destination": getattr(stores, "deid", None) or stores.destination,
        }
        for name, index in of_name.items():
            answers: list[Any] = []
            for level in LEVELS:
                for matches in SEARCHES:
                    for within in (None, Resource("1.2.3")):
                        query = Query(level, matches, within, fuzzy=False, limit=100, offset=0)
                        answers.append([asdict(match) for match in await index.search(query)])
            everything = Query("study", {}, None, fuzzy=False, limit=100, offset=0)
            for match in await index.search(everything):
                uid = json.loads(match.defaults)["0020000D"]["Value"][0]
                answers.append(await index.metadata(Resource(uid)))
                answers += [
                    {**asdict(file), "bytes": file.path.read_bytes().hex()}
                    for file in await index.locate(Resource(uid))
                ]
            found[name] = json.loads(json.dumps(answers, default=_text))
        return found
    finally:
        await stores.close()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        asyncio.run(make(Path(sys.argv[2]), *map(int, sys.argv[3:])))
    else:
        print(json.dumps(asyncio.run(tell(Path(sys.argv[2])))))
