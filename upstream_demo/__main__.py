"""Serve the products API: ``python -m upstream_demo --port 9000``."""

import argparse
import contextlib
import os
import socket

import uvicorn

from upstream_demo.app import build_app


def main() -> None:
    """Listen, say where, and serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="upstream_demo", description="A small products API.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=9000, help="0 takes any free one")
    options = parser.parse_args()
    try:
        listener = _listen(options.host, options.port)
    except (OSError, OverflowError) as error:
        number = error.errno if isinstance(error, OSError) else None
        why = os.strerror(number) if number else str(error)
        parser.exit(1, f"upstream_demo: cannot listen on {options.host}:{options.port}: {why}\n")
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    # The socket listens already, so whoever reads this line can connect at once.
    print(f"upstream_demo: serving on http://{shown}:{port}", flush=True)  # noqa: T201 (its output)
    config = uvicorn.Config(build_app(), log_level="warning", timeout_graceful_shutdown=1)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises the signal again when it is done
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


if __name__ == "__main__":
    main()
