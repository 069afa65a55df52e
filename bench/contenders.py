"""Who takes part: how each is configured and started, and what it claims to do.

A new contender is one more entry of ``CONTENDERS`` and one more file in ``bench/configs``.
"""

import importlib.util
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.rig import START_S, find_program, free_port, running, write_config
from bench.tokens import AUDIENCE, ISSUER, ROLE, Signer, make_signer

INSTALLED: Final = Path(__file__).parents[1] / ".bench"  # by ``python -m bench.install``
PATH: Final = "/api/products/1"  # what the load asks for
UPSTREAM_PATH: Final = "/products/1"  # what the service must be asked for


@dataclass(frozen=True, slots=True)
class Deployment:
    """What all contenders of one benchmark are configured with."""

    folder: Path  # for generated configurations and logs
    core: int | None  # None: all that there are
    values: Mapping[str, object] = field(default_factory=dict)  # more for the templates
    signer: Signer = field(default_factory=lambda: make_signer("HS256"))  # of all good tokens


@dataclass(frozen=True, slots=True)
class Server:
    """A contender that accepts connections."""

    port: int
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One proxy to be measured."""

    name: str
    does: str  # for the table
    template: str  # in bench/configs
    command: tuple[str, ...]  # ``{config}`` and ``{folder}`` are filled in
    module: str | None = None  # a Python module that must be there besides the program
    needs: Path | None = None  # what ``python -m bench.install`` puts there
    authenticates: bool = True
    roles: str = ROLE  # how it writes the claim ``roles``
    values: Mapping[str, object] = field(default_factory=dict)  # more for the template
    start_s: float = START_S

    def find_obstacle(self) -> str | None:
        """Return why it cannot take part, or None where it can."""
        if find_program(self.command[0]) is None:
            return f"{self.command[0]} is not installed"
        if self.module is not None and not _is_module(self.module):
            return f"there is no module {self.module}"
        if self.needs is not None and not self.needs.exists():
            return "python -m bench.install was not run"
        return None

    @contextmanager
    def deployed(self, deployment: Deployment, upstream_port: int) -> Iterator[Server]:
        """Run it in front of a service for the length of the block.

        Raises:
            RigError: It did not come up.
        """
        port = free_port()
        # Not by its port alone, which may be given out again.
        folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-{port}-", dir=deployment.folder))
        config = folder / self.template
        values: dict[str, object] = {
            "port": port,
            "upstream_port": upstream_port,
            "folder": folder,
            "store": folder / "gateway.db",
            "installed": INSTALLED,
            "more_routes": "",
            "issuer": ISSUER,
            "audience": AUDIENCE,
        }
        values |= deployment.signer.describe(folder)
        write_config(self.template, config, values | dict(deployment.values) | dict(self.values))
        program, *arguments = (part.format(config=config, folder=folder) for part in self.command)
        command = [find_program(program) or program, *arguments]
        log = folder / "output.log"
        with running(
            command, core=deployment.core, port=port, log=log, start_s=self.start_s
        ) as pid:
            yield Server(port, pid)


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its package is not there
        return False


GATEWAY: Final = Contender(
    name="gateway",
    does="this gateway",
    template="gateway.yaml",
    command=(sys.executable, "-m", "gateway", "run", "--config", "{config}"),
    module="gateway.__main__",
)

_MORE_ROUTES: Final = "".join(
    f"  - {{name: r{n}, path: '/service-{n}/items/**', upstream: products}}\n" for n in range(1_999)
)

CONTENDERS: Final = (
    Contender(
        name="haproxy",
        does="HAProxy, `jwt_verify`, claims to headers",
        template="haproxy.cfg",
        command=("haproxy", "-db", "-f", "{config}"),
    ),
    GATEWAY,
    Contender(
        name="envoy",
        does="Envoy, `jwt_authn` with its cache, `claim_to_headers`",
        template="envoy.yaml",
        command=(
            *(str(INSTALLED / "python/envoy/_bin/envoy"), "-c", "{config}", "-l", "error"),
            *("--concurrency", "1", "--disable-hot-restart"),
        ),
        needs=INSTALLED / "python/envoy/_bin/envoy",
        roles="WyJjdXN0b21lciJd",  # Envoy writes a list as base64url of its JSON
    ),
    Contender(
        name="express",
        does="Express, jsonwebtoken, http-proxy-middleware",
        template="express.cjs",
        command=("node", "{config}"),
        needs=INSTALLED / "node_modules/express",
    ),
    Contender(
        name="fastify",
        does="Fastify, @fastify/jwt, @fastify/http-proxy",
        template="fastify.cjs",
        command=("node", "{config}"),
        needs=INSTALLED / "node_modules/fastify",
    ),
    Contender(
        name="starlette",
        does="Starlette, httpx, PyJWT (uvicorn, uvloop, httptools)",
        template="starlette_app.txt",
        command=(sys.executable, "{config}"),
        module="httpx",
    ),
    Contender(
        name="nginx",
        does="nginx, plain proxy without authentication",
        template="nginx.conf",
        command=("nginx", "-e", "stderr", "-p", "{folder}", "-c", "{config}"),
        authenticates=False,
    ),
    Contender(
        name="gateway-routes",
        does="this gateway, with 2,000 routes",
        template=GATEWAY.template,
        command=GATEWAY.command,
        values={"more_routes": _MORE_ROUTES},
    ),
)
