"""The loop that uvicorn is given."""

import asyncio

from gateway.loop import GOODBYE_S, HANDSHAKE_S, Loop


def test_what_tls_adds_to_a_connection_has_deadlines() -> None:
    """They are shorter than uvloop's; a listener without TLS is opened as ever."""

    async def listen() -> None:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
        assert server.sockets
        server.close()
        await server.wait_closed()

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(listen())
    assert (HANDSHAKE_S, GOODBYE_S) == (10, 5)
