"""What the Compare page reads: pairs, outcomes and headers, and what of it each side is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from daemon.records import State
from tests.integration.test_pages_room import serving
from tests.store_samples import make_instance, receive, settle, store, work

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.store.ports import Session

OUTCOME = orjson.dumps(
    {
        "elements": [["(0010,0020)", "pseudonymised", 1]],
        "regions": [{"frame": 2, "box": [1, 2, 3, 4], "why": "known_identifier"}],
        "residuals": [],
        "warnings": ["a_code"],
        "pixels_examined": True,
    }
)
RESULT = "2.25.1.1/2.25.1.1.1/2.25.1.1.1.1"
RECEIVED = "1.1/1.1.1/1.1.1.1"


async def test_both_sides_stand_in_step_and_the_clean_side_stands_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        for number, state in ((2, State.STORED), (1, State.STORED), (3, State.QUARANTINED)):
            await store(
                site.stores,
                make_instance(number, study="1.1", series="1.1.1", SeriesDescription="AXIAL"),
                state=state,
                reason="" if state is State.STORED else "screen_capture",
            )
        by_result = (await site.get("/source/compare/2.25.1.1/study.json"))[1]
        by_received = (await site.get("/source/compare/1.1/study.json"))[1]
        alone = (await site.get("/compare/2.25.1.1/study.json"))[1]
        assert (await site.get("/compare/1.1/study.json"))[0] == 404
        assert (await site.get("/compare/1.1"))[0] == 404
        assert (await site.get("/source/compare/9.9"))[0] == 404
        assert (await site.get("/source/compare/1.1"))[0] == 200
    assert by_result == by_received
    (series,) = orjson.loads(by_result)["series"]
    pairs = [
        (each["received"]["instance"], each["result"] and each["result"]["instance"], each["state"])
        for each in series["instances"]
    ]
    assert pairs == [
        ("1.1.1.1", "2.25.1.1.1.1", "stored"),
        ("1.1.1.2", "2.25.1.1.1.2", "stored"),
        ("1.1.1.3", None, "quarantined"),
    ]
    assert "screen_capture" in orjson.loads(by_result)["reasons"]
    (series,) = orjson.loads(alone)["series"]
    assert [each["received"] for each in series["instances"]] == [None, None]
    assert '"1.1.1' not in alone


async def test_an_outcome_is_told_with_its_reasons_in_words(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        instance = make_instance(study="1.1", series="1.1.1")
        receipt = await receive(site.stores, instance.metadata)
        result = work(site.stores, receipt, instance)
        await settle(site.stores, [replace(result, outcome=OUTCOME)])
        told = orjson.loads(
            (await site.get("/compare/2.25.1.1/outcome.json?instance=2.25.1.1.1.1"))[1]
        )
        # Asked by a UID of the source the clean side knows nothing.
        unknown = orjson.loads(
            (await site.get("/compare/2.25.1.1/outcome.json?instance=1.1.1.1"))[1]
        )
        received = orjson.loads(
            (await site.get("/source/compare/1.1/outcome.json?instance=1.1.1.1&of=received"))[1]
        )
        assert (await site.get("/compare/2.25.1.1/outcome.json?instance=../x"))[0] == 404
    assert told["regions"] == [{"frame": 2, "box": [1, 2, 3, 4], "why": "names the patient"}]
    assert told == received
    assert unknown["regions"] == []


async def test_headers_are_filtered_and_the_clean_side_gets_no_source_header(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as site:
        await store(site.stores, make_instance(study="1.1", series="1.1.1", PatientID="P-77"))
        both = f"/source/compare/1.1/header?received={RECEIVED}&result={RESULT}"
        page = (await site.get(both))[1]
        assert "P-77" in page
        assert "ABCDEF" in page
        changed = (await site.get(f"{both}&filtered=yes&change=changed"))[1]
        assert "PatientID" in changed
        assert "Modality" not in changed
        found = (await site.get(f"{both}&words=p-77"))[1]
        assert ("PatientID" in found, "PatientName" in found) == (True, False)
        nothing = (await site.get(f"{both}&filtered=yes"))[1]
        assert "No element matches" in nothing
        clean = await site.get(f"/compare/2.25.1.1/header?result={RESULT}")
        assert ("ABCDEF" in clean[1], "P-77" in clean[1]) == (True, False)
        for query in (
            f"received={RECEIVED}",
            f"result={RECEIVED}",
            f"received={RECEIVED}&result={RESULT}",
            "",
        ):
            assert (await site.get(f"/compare/2.25.1.1/header?{query}"))[0] == 404, query


async def test_what_the_source_keeps_no_more_is_shown_as_result_alone(tmp_path: Path) -> None:
    async with serving(tmp_path, source=True) as site:
        await store(site.stores, make_instance(study="1.1", series="1.1.1"))

        def forget(session: Session) -> None:
            stores = site.stores.stores
            (indexed,) = session.instances.page(stores.source, 0, 9)
            session.instances.remove(indexed)

        await site.stores.database.write(forget)
        (series,) = orjson.loads((await site.get("/source/compare/2.25.1.1/study.json"))[1])[
            "series"
        ]
        assert [each["received"] for each in series["instances"]] == [None]
