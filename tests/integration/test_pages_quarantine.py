"""The Quarantine page over real stores and sockets: who sees what, and what a form does."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.records import Origin, Receipt, Receiver, State
from daemon.store.rows import Place
from tests.integration.test_pages_room import serving
from tests.store_samples import element, make_instance, store

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.store.decision_rows import Decision
    from daemon.store.ports import Session
    from daemon.store.stores import Stores
    from tests.integration.test_pages_room import Site

NAME = "roe^canary"
BOX = {"frame": "0", "left": "4", "top": "8", "width": "20", "height": "10"}


async def refused(stores: Stores, number: int = 1, reason: str = "too_much_text") -> Receipt:
    instance = make_instance(number, study="1.5", series="1.5.1", PatientName=NAME)
    attributes = json.loads(instance.metadata) | {
        "00280010": element("US", 64),
        "00280011": element("US", 128),
    }
    instance = replace(instance, metadata=json.dumps(attributes).encode())
    return await store(stores, instance, state=State.QUARANTINED, reason=reason)


async def refused_by_operation(stores: Stores, reason: str = "too_much_text") -> str:
    """Put an instance into the quarantine as `daemon.healthcare.refusals` does."""
    receipt = Receipt("f" * 32, Origin(Receiver.OPERATION, peer="operation 7"), 1.0, 4096)

    def refuse(session: Session) -> None:
        session.receipts.insert(receipt)
        session.receipts.change(
            receipt.id,
            state=State.QUARANTINED,
            reason=reason,
            place=Place.GONE,
            changed_at=1.0,
        )

    await stores.database.write(refuse)
    return receipt.id


async def post(
    site: Site, path: str, form: list[tuple[str, str]], **headers: str
) -> tuple[int, str]:
    async with site.client.post(f"{site.root}{path}", data=form, headers=headers) as answer:
        return answer.status, await answer.text()


async def decisions(stores: Stores) -> list[Decision]:
    return await stores.database.read(lambda session: session.decisions.page(None, 100, 0))


async def test_reasons_are_told_with_their_remedy_and_name_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await refused(site.stores)
        await refused(site.stores, 2, "malformed")
        _, page, _ = await site.get("/quarantine?reason=malformed")
        _, other, _ = await site.get("/quarantine?reason=too_much_text")
    assert "It breaks the encoding of PS3.5" in page
    assert "Have the sender repair or export it anew" in page
    assert "Draw boxes" not in page
    assert "Draw boxes" in other
    assert "canary" not in page + other
    assert "1.5.1" not in page + other


async def test_without_the_source_nothing_can_be_decided(tmp_path: Path) -> None:
    async with serving(tmp_path, source=False) as site:
        receipt = await refused(site.stores)
        status, page, _ = await site.get("/quarantine")
        form = [("id", receipt.id), ("choice", "retry")]
        assert (await post(site, "/source/quarantine/decide", form))[0] in {404, 405}
        assert (await site.get(f"/source/quarantine/pictures/{receipt.id}"))[0] == 404
        assert await decisions(site.stores) == []
    assert status == 200
    assert receipt.id[:12] in page
    assert "source/quarantine" not in page


async def test_a_picture_is_where_the_source_has_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        receipt = await refused(site.stores)
        address = f"{site.root}/source/quarantine/pictures/{receipt.id}?frame=2"
        async with site.client.get(address, allow_redirects=False) as answer:
            assert answer.status == 302
            assert answer.headers["Location"] == (
                "../../../dicomweb/source/studies/1.5/series/1.5.1/instances/1.5.1.1/frames/2/rendered"
            )
        assert (await site.get(f"/source/quarantine/pictures/{'0' * 32}"))[0] == 404


async def test_a_release_is_decided_with_its_boxes_and_shown(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        receipts = [await refused(site.stores, number) for number in (1, 2)]
        form = [("id", each.id) for each in receipts]
        form += [("choice", "release"), ("reviewer", "R. Viewer"), *BOX.items()]
        form += [(name, "") for name in BOX]  # a row that nobody filled in
        status, page = await post(site, "/source/quarantine/decide", form)
        made = await decisions(site.stores)
    assert status == 200
    assert "2 decided." in page
    assert page.count("release after filling") == 2
    assert {each.receipt_id for each in made} == {each.id for each in receipts}
    assert {(each.decider.place, each.decider.reviewer) for each in made} == {("page", "R. Viewer")}
    assert {each.ruling.drawn for each in made} == {((0, 4, 8, 20, 10),)}


async def test_what_makes_no_sense_decides_nothing_and_says_why(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        receipt = await refused(site.stores)
        faults = {
            "draw at least one box": [("choice", "release")],
            "box 1 needs whole numbers": [("choice", "release"), *(BOX | {"left": "x"}).items()],
            "There is no deidentifier": [("choice", "retry"), ("deidentifier", "nobody")],
            "up to 64 printable characters": [("choice", "retry"), ("reviewer", "x" * 65)],
            "Nothing was chosen to be done": [("choice", "sing")],
        }
        for said, form in faults.items():
            status, page = await post(
                site, "/source/quarantine/decide", [("id", receipt.id), *form]
            )
            assert (status, said in page) == (400, True), said
        for ids in ([], [("id", "../../etc")]):
            form = [*ids, ("choice", "retry")]
            assert (await post(site, "/source/quarantine/decide", form))[0] == 400
        outside = [("id", receipt.id), ("choice", "release"), *(BOX | {"left": "500"}).items()]
        _, page = await post(site, "/source/quarantine/decide", outside)
        assert "box 1 lies outside the picture" in page
        assert await decisions(site.stores) == []


async def test_all_of_a_reason_are_decided_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        for number in range(1, 28):
            await refused(site.stores, number, "malformed")
        await refused(site.stores, 40)
        _, page, _ = await site.get("/quarantine?reason=malformed")
        assert "1 to 24 of 27" in page
        form = [("all_of", "malformed"), ("choice", "retry"), ("deidentifier", "research")]
        _, page = await post(site, "/source/quarantine/decide", form)
        assert "27 decided." in page
        made = await decisions(site.stores)
    assert {(each.reason, each.ruling.deidentifier) for each in made} == {("malformed", "research")}


async def test_what_operations_refused_can_only_be_discarded_and_the_page_says_so(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as site:
        receipt_id = await refused_by_operation(site.stores)
        _, page, _ = await site.get("/quarantine")
        for absent in (
            "Retry",
            "Draw boxes",
            "Retry as configured",
            "as routed",
            "quarantine/review",
        ):
            assert absent not in page
        for present in ("Discard", "Operations refused these", "operation 7"):
            assert present in page
        status, page, _ = await site.get(f"/source/quarantine/review?id={receipt_id}")
        assert (status, "Operations refused these" in page) == (400, True)
        for form in (
            [("choice", "retry")],
            [("choice", "forget")],
            [("choice", "release"), *BOX.items()],
        ):
            _, page = await post(site, "/source/quarantine/decide", [("id", receipt_id), *form])
            assert "0 decided." in page
            assert "begin another between the same stores" in page
        assert await decisions(site.stores) == []
        form = [("id", receipt_id), ("choice", "discard"), ("confirmed", "yes")]
        assert "1 decided." in (await post(site, "/source/quarantine/decide", form))[1]


async def test_beside_what_operations_refused_the_others_are_decided_as_always(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as site:
        receipt = await refused(site.stores)
        receipt_id = await refused_by_operation(site.stores)
        _, page, _ = await site.get("/quarantine")
        for present in ("Retry", "Draw boxes", "1 of these were refused by operations"):
            assert present in page
        asked = f"/source/quarantine/review?id={receipt_id}&id={receipt.id}"
        status, page, _ = await site.get(asked)
        assert (status, receipt.id[:12] in page, receipt_id[:12] in page) == (200, True, False)
        form = [("all_of", "too_much_text"), ("choice", "retry")]
        _, page = await post(site, "/source/quarantine/decide", form)
        assert "1 decided." in page
        assert {each.receipt_id for each in await decisions(site.stores)} == {receipt.id}


async def test_a_discard_asks_first(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        receipt = await refused(site.stores)
        form = [("id", receipt.id), ("choice", "discard")]
        _, page = await post(site, "/source/quarantine/decide", form)
        assert "Discard 1 received instance for good?" in page
        assert await decisions(site.stores) == []
        again = re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', page)
        _, page = await post(site, "/source/quarantine/decide", [*again, ("confirmed", "yes")])
        assert "1 decided." in page
        assert [each.choice.value for each in await decisions(site.stores)] == ["discard"]
        assert (await site.get("/quarantine"))[1].count("Nothing waits for a decision") == 1


async def test_a_foreign_page_decides_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        receipt = await refused(site.stores)
        form = [("id", receipt.id), ("choice", "discard"), ("confirmed", "yes")]
        answer = await post(
            site, "/source/quarantine/decide", form, Origin="https://elsewhere.example"
        )
        assert answer[0] == 403
        assert await decisions(site.stores) == []


async def test_a_reviewers_name_is_shown_as_text(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        receipt = await refused(site.stores)
        form = [("id", receipt.id), ("choice", "retry"), ("reviewer", "<b>R</b>")]
        _, page = await post(site, "/source/quarantine/decide", form)
    assert "&lt;b&gt;R&lt;/b&gt;" in page


async def test_status_says_for_people_what_status_says(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await refused(site.stores)
        await store(site.stores, make_instance(9))
        _, page, _ = await site.get("/status")
        status, history, _ = await site.get("/status/history.json")
    for said in ("too much text", "What would be filled covers more", "C-STORE", "default"):
        assert said in page
    assert "canary" not in page
    assert (status, json.loads(history)["received"]) == (200, [])
