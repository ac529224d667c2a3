"""``/viewer/`` over real sockets: what is installed, a page that says what to type, and nothing beside."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from config.settings import Http
from daemon.viewer import service
from daemon.viewer.installation import install
from daemon.viewer.page import Source
from daemon.web.callers import Callers
from daemon.web.server import HttpServer
from tests.integration.test_web_server import Well
from tests.viewer_package import FILES, tarball

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SOURCES = [Source("deid", "dicomweb/deid"), Source("</script>", "v1/x/dicomWeb", is_writable=True)]
SCRIPT = "app.bundle.0123456789abcdef.js"


async def _sources() -> list[Source]:
    return SOURCES


@asynccontextmanager
async def serving(place: Path, prefix: str = "") -> AsyncIterator[tuple[ClientSession, str]]:
    services: dict[str, web.Application] = {
        service.PATH: service.application(place, _sources, prefix=prefix)
    }
    server = HttpServer(Http(port=0), services, Well(), lambda *_: None, callers=Callers())
    await server.start()
    try:
        async with ClientSession() as client:
            yield client, f"http://127.0.0.1:{server.port}"
    finally:
        await server.stop()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    install(tarball(tmp_path / "ohif.tgz"), tmp_path / "viewer")
    return tmp_path / "viewer"


async def test_without_an_installation_a_page_says_what_to_type(tmp_path: Path) -> None:
    async with serving(tmp_path / "viewer") as (client, root):
        answer = await client.get(f"{root}/viewer/")
        assert answer.status == 404
        assert "dicomveil viewer install" in await answer.text()
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        install(tarball(tmp_path / "ohif.tgz"), tmp_path / "viewer")
        assert (await client.get(f"{root}/viewer/")).status == 200


async def test_the_page_asks_for_everything_beside_itself(place: Path) -> None:
    async with serving(place) as (client, root):
        answer = await client.get(f"{root}/viewer/")
        page = await answer.text()
        assert '<base href="/viewer/">' in page
        assert 'window.PUBLIC_URL="/viewer/"' in page
        assert f'src="{SCRIPT}"' in page
        assert 'content="assets/tile.png"' in page
        assert 'href="//other.example/x.css"' in page


async def test_the_policy_lets_nothing_leave_and_only_the_pages_own_scripts_run(
    place: Path,
) -> None:
    async with serving(place) as (client, root):
        answer = await client.get(f"{root}/viewer/")
        page = await answer.text()
        policy = dict(
            each.strip().split(" ", 1)
            for each in answer.headers["Content-Security-Policy"].split(";")
        )
        inline = re.findall(r"<script>(.*?)</script>", page)
        hashes = {
            f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'"
            for each in inline
        }
        assert len(hashes) == 2
        assert set(policy["script-src"].split()) == {"'self'", "'unsafe-eval'", *hashes}
        assert policy["default-src"] == "'none'"
        words = {word for words in policy.values() for word in words.split()} - hashes
        assert words == {
            "'none'", "'self'", "'unsafe-inline'", "'unsafe-eval'", "blob:", "data:",
        }  # fmt: skip
        assert policy["style-src"] == "'self' 'unsafe-inline'"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"


@pytest.mark.parametrize("path", ["viewer", "viewer/deid", "segmentation?StudyInstanceUIDs=1.2"])
async def test_addresses_of_the_viewers_own_get_its_page(place: Path, path: str) -> None:
    async with serving(place) as (client, root):
        answer = await client.get(f"{root}/viewer/{path}")
        assert answer.status == 200
        assert '<base href="/viewer/">' in await answer.text()


async def test_who_leaves_out_the_slash_is_sent_on_with_the_study(place: Path) -> None:
    async with serving(place) as (client, root):
        answer = await client.get(f"{root}/viewer?a=1%262", allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (302, "/viewer/?a=1%262")


@pytest.mark.parametrize(
    "path",
    [
        "%2e%2e/installed.json", "..%2finstalled.json", "%2e%2e%2f%2e%2e%2fetc/passwd.txt",
        "assets/../../installed.json", "/etc/hosts.txt", "installed.json", "x.js", "package.json",
        "assets\\..\\..\\installed.json", "index.html%00.js",
    ],
)  # fmt: skip
async def test_no_path_leads_to_a_file_that_is_not_the_viewers(place: Path, path: str) -> None:
    async with serving(place) as (client, root):
        answer = await client.get(URL(f"{root}/viewer/{path}", encoded=True))
        assert answer.status == 404
        assert "sha" not in await answer.text()


async def test_files_named_by_their_content_are_kept_by_browsers_and_others_asked_for(
    place: Path,
) -> None:
    async with serving(place) as (client, root):
        lasting = await client.get(f"{root}/viewer/7.bundle.fedcba9876543210.js")
        assert "immutable" in lasting.headers["Cache-Control"]
        assert await lasting.read() == FILES["7.bundle.fedcba9876543210.js"]
        for name in ("assets/tile.png", "app-config.js", "", SCRIPT):
            answer = await client.get(f"{root}/viewer/{name}")
            assert answer.headers["Cache-Control"] == "no-cache"
            known = {"If-None-Match": answer.headers["ETag"]}
            assert (await client.get(f"{root}/viewer/{name}", headers=known)).status == 304
            other = {"If-None-Match": '"0"'}
            assert (await client.get(f"{root}/viewer/{name}", headers=other)).status == 200


async def test_the_tag_of_a_file_is_of_its_content(place: Path, tmp_path: Path) -> None:
    async with serving(place) as (client, root):
        one = (await client.get(f"{root}/viewer/{SCRIPT}")).headers["ETag"]
        install(tarball(tmp_path / "b.tgz", FILES | {SCRIPT: b"run(2);"}), place)
        other = await client.get(f"{root}/viewer/{SCRIPT}")
        assert other.headers["ETag"] != one
        assert await other.read() == b"run(2);"


async def test_scripts_run_in_the_viewers_page_and_in_workers_alone(place: Path) -> None:
    async with serving(place) as (client, root):
        worker = await client.get(f"{root}/viewer/{SCRIPT}")
        assert "frame-ancestors 'none'" in worker.headers["Content-Security-Policy"]
        assert "http" not in worker.headers["Content-Security-Policy"]
        for path in ("sub/page.html", "assets/tile.png"):
            answer = await client.get(f"{root}/viewer/{path}")
            assert "script-src" not in answer.headers["Content-Security-Policy"]
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_every_store_is_configured_by_an_address_from_the_pages_own(place: Path) -> None:
    async with serving(place) as (client, root):
        script = await (await client.get(f"{root}/viewer/app-config.js")).text()
        assert root not in script
        assert "</script>" not in script
        given = json.loads(script[script.index("{") : script.index("};\n") + 1])
        assert given["routerBasename"] == "/viewer"
        assert given["defaultDataSourceName"] == "deid"
        sources = [each["configuration"] for each in given["dataSources"]]
        assert [each["name"] for each in sources] == ["deid", "</script>"]
        assert [each["root"] for each in sources] == ["dicomweb/deid", "v1/x/dicomWeb"]
        assert [each["dicomUploadEnabled"] for each in sources] == [False, True]


async def test_behind_a_proxy_the_page_knows_the_path_that_the_proxy_puts_before(
    place: Path,
) -> None:
    async with serving(place, "/veil") as (client, root):
        assert '<base href="/veil/viewer/">' in await (await client.get(f"{root}/viewer/")).text()
        script = await (await client.get(f"{root}/viewer/app-config.js")).text()
        assert '"routerBasename": "/veil/viewer"' in script


async def test_it_is_only_read_and_only_by_our_names(place: Path) -> None:
    async with serving(place) as (client, root):
        assert (await client.post(f"{root}/viewer/app-config.js")).status == 405
        foreign = await client.get(f"{root}/viewer/", headers={"Host": "evil.example"})
        assert foreign.status == 421
