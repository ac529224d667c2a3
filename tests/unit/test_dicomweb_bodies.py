"""Bodies of answers: what of them is read before a byte goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from dicomweb.bodies import WHOLE_BYTES, Part, send
from dicomweb.segments import Made, Span

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "stored"
    path.write_bytes(bytes(range(256)))
    return path


async def _made() -> bytes:
    return b"made"


@pytest.mark.parametrize("multipart", [False, True])
async def test_a_short_body_is_read_before_its_head_goes_out(stored: Path, multipart: bool) -> None:
    parts = [Part("image/x", [b"head", Span(stored, 16, 4), Span(stored, 0, 4, word_bytes=2)])]
    request = make_mocked_request("GET", "/")
    response = await send(request, parts, multipart=multipart, send_timeout_s=240)
    assert isinstance(response, web.Response)
    assert not response.prepared
    assert isinstance(response.body, bytes)
    assert b"head\x10\x11\x12\x13\x01\x00\x03\x02" in response.body


async def test_a_file_that_became_shorter_is_an_error_and_no_torn_body(stored: Path) -> None:
    parts = [Part("image/x", [Span(stored, 200, 57)])]
    request = make_mocked_request("GET", "/")
    with pytest.raises(OSError, match="shorter"):
        await send(request, parts, multipart=False, send_timeout_s=240)
    request.transport.abort.assert_not_called()  # type: ignore[union-attr]


@pytest.mark.parametrize("said", [3, 5])
async def test_what_was_made_of_another_length_than_was_said_breaks_the_answer_off(
    said: int,
) -> None:
    """Its length is in the head already: more would be the next answer's, and less would be waited for."""
    request = make_mocked_request("GET", "/")
    with pytest.raises(OSError, match="as long as"):
        await send(
            request, [Part("image/x", [Made(said, _made)])], multipart=False, send_timeout_s=240
        )
    request.transport.abort.assert_called_once()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param([bytes(WHOLE_BYTES + 1)], id="long"),
        pytest.param([Made(4, _made)], id="made when its turn comes"),
    ],
)
async def test_other_bodies_begin_with_their_head(segments: list[bytes | Made]) -> None:
    request = make_mocked_request("GET", "/")
    response = await send(request, [Part("image/x", segments)], multipart=False, send_timeout_s=240)
    assert response.prepared
    assert response.headers["Content-Length"] == str(Part("image/x", segments).size)
