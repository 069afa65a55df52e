"""WS-17: the Autobahn cases, as ``kosoku`` runs them, have one verdict directly and through us.

``GATEWAY_TEST_KOSOKU=all`` runs all of them, which takes minutes; without it the families of
compression (12 and 13) are left out, whose bytes the gateway does not look into.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.gateway import GatewayProcess, configuration, mint

WANTED: Final = os.environ.get("GATEWAY_TEST_KOSOKU", "")
SLOW: Final = ["12.*", "13.*"]
AT_ONCE: Final = 8  # some cases wait for seconds
SUITE_S: Final = 1200.0 if WANTED == "all" else 300.0

_WHY: Final = "kosoku and websockets are not installed: make installs them"
kosoku: Final = pytest.importorskip("kosoku", reason=_WHY)
echo_service: Final = pytest.importorskip("tests.kit.echo_service", reason=_WHY)


async def run_cases(
    url: str, cases: list[str] | None = None, at_once: int = AT_ONCE
) -> dict[str, tuple[str, str]]:
    """Return the verdict of each case: on the messages, and on the closing handshake."""
    try:
        left_out = [] if WANTED == "all" else SLOW
        results = await kosoku.run_fuzzingclient(url, cases, left_out, at_once)
    except kosoku.FailureError as failure:  # some case did not pass: whether it should is not asked
        results = failure.results
    return {each.case_id: _verdict(each) for each in results}


def _verdict(result: Any) -> tuple[str, str]:
    return result.behavior.value, result.behavior_close.value


@pytest.mark.timeout(SUITE_S)
def test_every_case_has_the_same_verdict_through_the_gateway(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each case is a connection of its own, let in by a token.

    A case has a second or two. Those that differ have it once more, alone: then no other case takes
    the machine's time.
    """

    async def main() -> None:
        async with echo_service.echoing() as port:
            service = f"ws://127.0.0.1:{port}/ws"
            directly = await run_cases(service)
            document = configuration(port)
            document["routes"].append({"path": "/ws", "upstream": "raw", "websocket": True})
            starting = asyncio.to_thread(GatewayProcess, document, tmp_path)
            with await starting as gateway:
                url = f"ws://127.0.0.1:{gateway.port}/ws?access_token={mint()}"
                through = await run_cases(url)
                if late := [case for case in directly if through[case] != directly[case]]:
                    directly |= await run_cases(service, late, 1)
                    through |= await run_cases(url, late, 1)
        record_property("cases", len(directly))

        assert len(directly) > 300
        assert through == directly

    asyncio.run(main())
