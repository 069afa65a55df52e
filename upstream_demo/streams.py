"""Answers and bodies that take time or are large: events, slow answers, downloads, uploads."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from upstream_demo.reading import parse_number

MAX_WAIT_S: Final = 3600.0
MAX_EVENTS: Final = 1_000_000
MAX_DOWNLOAD_BYTES: Final = 2**40
PIECE_BYTES: Final = 64 * 1024


async def events(request: Request) -> StreamingResponse:
    """``GET /events?count=N&interval=S``: server-sent events; endless without *count*."""
    interval_s = parse_number(request, "interval", 1.0, most=MAX_WAIT_S)
    count = int(parse_number(request, "count", -1, most=MAX_EVENTS))
    return StreamingResponse(
        make_events(count, interval_s),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


async def make_events(count: int, interval_s: float) -> AsyncIterator[bytes]:
    """Yield *count* events, one each *interval_s*; a negative count never ends."""
    for number in itertools.count(1) if count < 0 else range(1, count + 1):
        if number > 1:
            await asyncio.sleep(interval_s)
        data = json.dumps({"number": number})
        yield f"id: {number}\nevent: tick\ndata: {data}\n\n".encode("ascii")


async def slow(request: Request) -> JSONResponse:
    """``GET /slow?seconds=S``: an answer that takes its time."""
    seconds = parse_number(request, "seconds", 1.0, most=MAX_WAIT_S)
    await asyncio.sleep(seconds)
    return JSONResponse({"slept_s": seconds})


async def download(request: Request) -> StreamingResponse:
    """``GET /download?bytes=N``: that many zero bytes, with their Content-Length."""
    size_bytes = int(parse_number(request, "bytes", 1024, most=MAX_DOWNLOAD_BYTES))
    return StreamingResponse(
        _as_async(make_pieces(size_bytes)),
        media_type="application/octet-stream",
        headers={"Content-Length": str(size_bytes)},
    )


def make_pieces(size_bytes: int) -> Iterator[bytes]:
    """Yield *size_bytes* zero bytes; all pieces but the last are the same object."""
    piece = bytes(PIECE_BYTES)
    for _ in range(size_bytes // PIECE_BYTES):
        yield piece
    if rest_bytes := size_bytes % PIECE_BYTES:
        yield piece[:rest_bytes]


async def _as_async(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    # Starlette would run a plain iterator in a thread, at one hop per piece.
    for piece in pieces:
        yield piece


async def upload(request: Request) -> JSONResponse:
    """``POST /upload``: how many bytes the body had; none of them is kept."""
    received_bytes = 0
    async for piece in request.stream():
        received_bytes += len(piece)
    return JSONResponse({"received_bytes": received_bytes})
