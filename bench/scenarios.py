"""What is measured besides the plain comparison, as a table: one more row is one more measure.

A scenario says what the contenders are configured with, what the load sends, and who takes part.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.rig import BLOB_BYTES
from bench.tokens import Signer, mint

ALL: Final = ("haproxy", "gateway", "envoy", "express", "fastify", "starlette", "nginx")
_PROXIES: Final = ("haproxy", "gateway", "envoy", "nginx")

# What a browser sends, as one does: 15 fields, cookies among them.
BROWSER: Final = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-GB,en;q=0.8,de;q=0.6,fr;q=0.4",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Referer: https://shop.example.com/catalogue/kitchen/kettles?page=2&sort=price",
    "Origin: https://shop.example.com",
    "DNT: 1",
    "Sec-Fetch-Dest: empty",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Site: same-site",
    "Cache-Control: no-cache",
    "Pragma: no-cache",
    "Priority: u=4",
    "Cookie: consent=v2.1.0-essential; cart=9b1f2f6f0a4f8c117d3c2c1e5d0a4c6b; theme=dark",
    "X-Requested-With: XMLHttpRequest",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One measure."""

    title: str
    contenders: tuple[str, ...] = ALL
    baseline: str = "haproxy"
    algorithm: str = "HS256"
    connections: int = 64
    tokens: int = 1  # different ones
    once: bool = False  # no token is presented twice
    fields: tuple[str, ...] = ()
    path: str | None = None
    body_bytes: int = 0
    share_of_peak: float | None = None  # of the slowest contender

    def script(self, signer: Signer, folder: Path) -> dict[str, str]:
        """Return the environment of ``load.lua``; tokens are minted into a file in *folder*."""
        environment: dict[str, str] = {}
        if self.tokens > 1:
            file = folder / "tokens"
            lines = (mint(signer, sub=f"user-{number}") for number in range(self.tokens))
            file.write_text("".join(f"{line}\n" for line in lines), "ascii")
            environment["BENCH_TOKENS"] = str(file)
        if self.once:
            environment["BENCH_ONCE"] = "1"
        if self.body_bytes:
            environment["BENCH_BODY"] = str(self.body_bytes)
        return environment


SCENARIOS: Final = {
    "main": Scenario(title="one warm token, HS256"),
    "rs256": Scenario(title="one warm token, RS256", algorithm="RS256"),
    "es256": Scenario(title="one warm token, ES256", algorithm="ES256"),
    "mixed": Scenario(title="1,000 tokens in turn, HS256", tokens=1_000, contenders=_PROXIES),
    "cold": Scenario(
        title="every token new, HS256", tokens=300_000, once=True, contenders=_PROXIES[:3]
    ),
    "cold-es256": Scenario(
        title="every token new, ES256",
        algorithm="ES256",
        tokens=60_000,
        once=True,
        contenders=_PROXIES[:3],
    ),
    "connections-1": Scenario(title="1 connection", connections=1, contenders=_PROXIES),
    "connections-16": Scenario(title="16 connections", connections=16, contenders=_PROXIES),
    "connections-256": Scenario(title="256 connections", connections=256, contenders=_PROXIES),
    "browser": Scenario(title="the head of a browser", fields=BROWSER, contenders=_PROXIES),
    "half": Scenario(
        title="half of the peak load",
        share_of_peak=0.5,
        connections=256,  # pauses are of whole milliseconds: with fewer they would be too few
        contenders=("haproxy", "gateway"),
    ),
    "download": Scenario(
        title="answers of 1 MiB",
        path="/api/products/blob",
        connections=16,
        contenders=_PROXIES,
        baseline="nginx",
    ),
    "upload": Scenario(
        title="requests of 1 MiB",
        path="/api/products/upload",
        body_bytes=BLOB_BYTES,
        connections=16,
        contenders=_PROXIES,
        baseline="nginx",
    ),
    "routes": Scenario(
        title="2,000 routes beside one",
        contenders=("gateway", "gateway-routes"),
        baseline="gateway",
    ),
}
