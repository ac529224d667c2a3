"""The pages over real stores and sockets: what is where, under which header, and who is told of changes."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import aiohttp
import pytest

from config.contradictions import is_loopback
from config.pages_settings import Pages
from config.settings import Http, Settings
from daemon.healthcare.api import handlers
from daemon.healthcare.console import Console
from daemon.healthcare.files import AllowedFiles
from daemon.observe.history import History
from daemon.pages.events import Events
from daemon.pages.routes import routes
from daemon.pages.view import View
from daemon.records import State
from daemon.services import Live, WebServices, pages
from daemon.store import queries as store_queries
from daemon.store.reviewing import Quarantine
from daemon.store.stores import Stores
from daemon.store.studies import StudyQueries
from daemon.web.callers import Callers
from daemon.web.server import HttpServer
from tests.integration.test_web_server import Well
from tests.store_samples import make_instance, store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from multidict import CIMultiDictProxy

LIVE = Live(History(), lambda: ["default", "research"])
SCRIPT = "<script>alert(1)</script>"


@dataclass
class Site:
    """A server with pages, and a client of it."""

    stores: Stores
    client: aiohttp.ClientSession
    root: str

    async def get(self, path: str) -> tuple[int, str, CIMultiDictProxy[str]]:
        async with self.client.get(f"{self.root}{path}") as answer:
            return answer.status, await answer.text(), answer.headers


@contextlib.asynccontextmanager
async def serving(
    folder: Path, http: Http | None = None, **settings: object
) -> AsyncIterator[Site]:
    stores = await Stores.open(folder / "state")
    wanted = Settings(http=http or Http(port=0), pages=Pages(**settings))  # type: ignore[arg-type]
    services = web(stores)
    shown, events = pages(wanted, stores, services, LIVE)
    server = HttpServer(
        wanted.http, {}, Well(), lambda *_: None, callers=services.callers, pages=shown
    )
    await server.start()
    try:
        async with aiohttp.ClientSession() as client:
            yield Site(stores, client, f"http://127.0.0.1:{server.port}")
    finally:
        await asyncio.gather(events.stop(), server.stop(drain_s=20))
        await stores.close()


def web(stores: Stores) -> WebServices:
    """Return no services but the Healthcare API's methods, as pages ask them."""
    return WebServices({}, Callers(), handlers(stores, AllowedFiles(()), lambda: None))


async def fill(stores: Stores) -> None:
    """Two studies; of the second an instance is done and one is not."""
    await store(stores, make_instance(study="1.1", series="1.1.1", PatientName=SCRIPT))
    for number, state in ((1, State.STORED), (2, State.QUARANTINED)):
        instance = make_instance(
            number, study="1.2", series="1.2.1", PatientID="P-77", StudyDescription="KNEE"
        )
        await store(stores, instance, state=state)


async def test_each_side_lists_its_studies_and_how_far_they_are(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await fill(site.stores)
        _, received, _ = await site.get("/source/studies")
        _, results, _ = await site.get("/studies")
    assert received.index("P-77") < received.index("P-1")
    for page in (received, results):
        assert "2 received" in page
        assert "1 done" in page
        assert "1 quarantined" in page
    assert "ABCDEF" in results


async def test_what_names_people_stands_below_source_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await fill(site.stores)
        for path in ("/", "/studies", "/studies?patient_id=P-77", "/studies?offset=1"):
            _, page, _ = await site.get(path)
            table = page.partition("<table>")[2]
            assert "P-77" not in table
            assert "script&gt;" not in page
        _, page, _ = await site.get("/source/studies")
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert SCRIPT not in page


async def test_what_turns_text_round_is_seen_in_pages_and_what_scripts_ask_for(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as site:
        turned = {"PatientName": "\u202eevil", "SeriesDescription": "a\u2066b"}
        await store(site.stores, make_instance(study="1.1", series="1.1.1", keys=turned))
        _, page, _ = await site.get("/source/studies")
        _, study, _ = await site.get("/source/compare/1.1/study.json")
    assert "[U+202E]evil" in page
    assert "a[U+2066]b" in study
    assert not {"\u202e", "\u2066"} & {*page, *study}


async def test_without_the_source_pages_nothing_is_below_source(tmp_path: Path) -> None:
    async with serving(tmp_path, source=False) as site:
        assert (await site.get("/source/studies"))[0] == 404
        status, page, _ = await site.get("/studies")
    assert status == 200
    assert "source/studies" not in page


@pytest.mark.parametrize(
    ("host", "shown", "expected"),
    [
        ("127.0.0.1", "loopback", {"/studies", "/source/studies"}),
        ("::1", "loopback", {"/studies", "/source/studies"}),
        ("192.0.2.1", "loopback", set()),
        ("192.0.2.1", "always", {"/studies"}),
        ("127.0.0.1", "never", set()),
    ],
)
async def test_no_other_machine_is_shown_what_came_in(
    tmp_path: Path, host: str, shown: str, expected: set[str]
) -> None:
    stores = await Stores.open(tmp_path / "state")
    wanted = Settings(http=Http(host=host), pages=Pages(shown=shown))  # type: ignore[arg-type]
    found, _ = pages(wanted, stores, web(stores), LIVE)
    await stores.close()
    paths = {route.path for route in found}
    assert paths & {"/studies", "/source/studies"} == expected
    assert is_loopback(host) or not any(path.startswith("/source") for path in paths)


async def test_filters_and_pages_are_those_of_the_store(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        for number in range(27):
            uid = f"1.9.{number}"
            await store(
                site.stores,
                make_instance(study=uid, series=f"{uid}.1", StudyDate=f"202401{number + 1:02}"),
            )
        await fill(site.stores)
        first = (await site.get("/source/studies"))[1]
        second = (await site.get("/source/studies?offset=25"))[1]
        assert 'href="../source/studies?offset=25"' in first
        assert ("1.9.3<" in first, "1.9.3<" in second) == (False, True)
        for query, found in (
            ("patient_id=77", {"1.2"}),
            ("description=KNEE", {"1.2"}),
            ("from=2024-01-27&to=2024-01-27", {"1.9.26"}),
            ("modality=CT&patient_id=77", {"1.2"}),
            ("modality=MR", set()),
            ("patient_id=*", None),
        ):
            page = (await site.get(f"/source/studies?{query}"))[1]
            uids = {
                part.partition("<")[0]
                for part in page.split("Study Instance UID</dt><dd><code>")[1:]
            }
            assert len(uids) == 25 if found is None else uids == found, query
        wrong = (await site.get("/source/studies?from=yesterday"))[1]
        assert "A date is written" in wrong


async def test_every_page_says_that_nothing_of_others_may_run(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        for path in ("/", "/studies", "/source/studies", "/source/nothing", "/static/pages.css"):
            _, body, headers = await site.get(path)
            policy = headers.get("Content-Security-Policy", "")
            if path == "/source/nothing":
                continue
            assert policy.startswith("default-src 'none'")
            assert "unsafe" not in policy
            assert "<style" not in body
            assert " style=" not in body
            assert "<script>" not in body
            wanted = "no-cache" if path.startswith("/static") else "no-store"
            assert headers["Cache-Control"] == wanted


async def test_a_form_that_cannot_be_read_is_the_senders_fault(tmp_path: Path) -> None:
    plain, parts = "application/x-www-form-urlencoded", "multipart/form-data"
    bodies = [
        (plain, b"\xff\xfe=%%%"),
        (f"{plain}; charset=nobody", b"source=x"),
        (f"{plain}; charset=utf-16", b"a"),
        (parts, b"--x--"),
        (f"{parts}; boundary=x", b"no part"),
        (f"{parts}; boundary=x", b"--x\r\n\r\nno name\r\n--x--\r\n"),
        (
            f"{parts}; boundary=x",
            (
                b'--x\r\nContent-Disposition: form-data; name="id"\r\n'
                b"Content-Transfer-Encoding: odd\r\n\r\nv\r\n--x--\r\n"
            ),
        ),
        (
            f"{parts}; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="id"; filename="f"\r\n\r\nv\r\n--x--\r\n',
        ),
        ("text/plain", b"id=1"),
    ]
    paths = ["/source/quarantine/decide", "/deidentify/check"]
    paths += [f"/source/deidentify/{name}" for name in ("start", "cancel", "studies", "dry")]
    async with serving(tmp_path) as site:
        for path in paths:
            for kind, body in bodies:
                headers = {"Content-Type": kind}
                async with site.client.post(site.root + path, data=body, headers=headers) as answer:
                    assert answer.status in {200, 400, 404}, (path, kind, body)


async def test_a_file_that_the_browser_has_is_not_sent_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        _, _, headers = await site.get("/static/htmx.min.js")
        again = {"If-None-Match": headers["ETag"]}
        async with site.client.get(f"{site.root}/static/htmx.min.js", headers=again) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
        assert (await site.get("/static/..%2fview.py"))[0] == 404


async def test_a_form_that_stands_still_is_given_up(tmp_path: Path) -> None:
    async with serving(tmp_path, Http(port=0, body_timeout_s=0.2)) as site:
        port = int(site.root.rpartition(":")[2])
        for path in ("/deidentify/check", "/source/deidentify/cancel", "/source/quarantine/decide"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
            form = "Content-Type: application/x-www-form-urlencoded\r\n\r\na"
            writer.write(f"{head}{form}".encode())
            assert b" 408 " in await asyncio.wait_for(reader.readline(), 240)
            writer.close()


async def test_a_change_is_told_once_by_the_name_of_its_subject(tmp_path: Path) -> None:
    async with serving(tmp_path) as site, site.client.get(f"{site.root}/events") as stream:
        assert await stream.content.readline() == b": listening\n"
        await fill(site.stores)
        told: list[str] = []
        async with asyncio.timeout(240):
            while {"studies", "quarantine"} - set(told):
                line = (await stream.content.readline()).decode()
                assert line.partition(":")[0] in {"event", "data", "", "\n"}, line
                told += [line.removeprefix("event: ").strip()] if line.startswith("event") else []


def made(stores: Stores, queries: StudyQueries, folder: Path) -> View:
    """Return what pages over these stores are made with."""
    return View(
        received=stores.source,
        results=stores.destination,
        progress=queries,
        pairing=queries,
        review=Quarantine(stores.database, stores.stores, list),
        status=lambda: stores.database.read(lambda session: store_queries.status(session, folder)),
        history=History(),
        console=Console(stores, web(stores).methods),
    )


async def test_listeners_are_few_and_end_when_the_service_does(tmp_path: Path) -> None:
    stores = await Stores.open(tmp_path / "state")
    queries = StudyQueries(stores.database, stores.stores)
    events = Events(queries, most_listeners=1)
    view = made(stores, queries, tmp_path)
    server = HttpServer(
        Http(port=0), {}, Well(), lambda *_: None, callers=Callers(), pages=routes(view, events)
    )
    await server.start()
    root = f"http://127.0.0.1:{server.port}"
    async with aiohttp.ClientSession() as client, client.get(f"{root}/events") as stream:
        async with client.get(f"{root}/events") as second:
            assert (second.status, second.headers["Retry-After"]) == (503, "10")
        await asyncio.gather(events.stop(), server.stop(drain_s=60))
        # Ended in good order: a stream that is broken off would raise here.
        assert b"listening" in await stream.content.read()
    await stores.close()


@dataclass
class Unhurried:
    """Marks that are told once they may be."""

    marks_of: StudyQueries
    may_tell: asyncio.Event

    async def marks(self) -> Mapping[str, str]:
        await self.may_tell.wait()
        return await self.marks_of.marks()


async def test_nobody_is_told_that_he_is_heard_before_the_stores_have_been_looked_at(
    tmp_path: Path,
) -> None:
    """What changed in between would be taken for what had been there before."""
    stores = await Stores.open(tmp_path / "state")
    queries = StudyQueries(stores.database, stores.stores)
    unhurried = Unhurried(queries, asyncio.Event())
    events = Events(unhurried)
    view = made(stores, queries, tmp_path)
    server = HttpServer(
        Http(port=0), {}, Well(), lambda *_: None, callers=Callers(), pages=routes(view, events)
    )
    await server.start()
    async with aiohttp.ClientSession() as client:
        asking = asyncio.ensure_future(client.get(f"http://127.0.0.1:{server.port}/events"))
        await asyncio.wait({asking}, timeout=0.5)
        assert not asking.done()
        unhurried.may_tell.set()
        async with await asking as stream:
            assert await stream.content.readline() == b": listening\n"
            await asyncio.gather(events.stop(), server.stop(drain_s=60))
    await stores.close()


async def test_a_viewer_is_offered_where_one_is_installed(tmp_path: Path) -> None:
    installed: list[bool] = []
    stores = await Stores.open(tmp_path / "state")
    await fill(stores)
    queries = StudyQueries(stores.database, stores.stores)
    view = replace(made(stores, queries, tmp_path), has_viewer=lambda: bool(installed))
    server = HttpServer(
        Http(port=0),
        {},
        Well(),
        lambda *_: None,
        callers=Callers(),
        pages=routes(view, Events(queries)),
    )
    await server.start()
    address = f"http://127.0.0.1:{server.port}/studies"
    async with aiohttp.ClientSession() as client:
        async with client.get(address) as page:
            assert "viewer/viewer?" not in await page.text()
        installed.append(True)
        async with client.get(address) as page:
            offered = "viewer/viewer?StudyInstanceUIDs=2.25.1.2&amp;datasources=deid"
            assert offered in await page.text()
    await server.stop()
    await stores.close()
