"""``gateway explain``."""

import ipaddress
import os
import re
import time
from typing import Annotated, Final

import typer

from gateway.cli.loading import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    Loaded,
    exit_on_config_errors,
    load_with_keys,
)
from gateway.cli.output import print_heading, print_json, print_line, print_rows
from gateway.errors import ProtocolError
from gateway.policy.explain import Explanation, PlaceReport, explain_malformed
from gateway.policy.explain import explain as explain_request
from gateway.policy.forwarding import make_request
from gateway.policy.model import Respond, Snapshot
from gateway.policy.revoked import NoRevocations
from gateway.policy.verdicts import NOT_ASKED
from gateway.proxy.heads import HeadReader

_URL: Final = re.compile(rb"(https?)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_DEFAULT_HOST: Final = b"localhost"
_REQUEST_ID: Final = b"explained"  # in place of the random one that a live request gets


def explain(  # noqa: PLR0913 (one for each option: Typer reads the signature)
    method: Annotated[str, typer.Argument(help="As it stands in the request: GET, POST, ...")],
    url: Annotated[str, typer.Argument(help="http://host/path?query, or only /path?query.")],
    token: Annotated[str, typer.Option(help="Sent as `Authorization: Bearer TOKEN`.")] = "",
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="'N: v'", help="One more header.")
    ] = None,
    peer: Annotated[str, typer.Option(help="The client's address.")] = "127.0.0.1",
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell what the gateway would do with a request, and why, without sending it anywhere.

    Of the store only the keys are read: a token that has been revoked looks good here. The keys of
    other issuers are read where they are. Exits with 0
    whether the request would be forwarded or refused: either is an answer.
    """
    for text in (method, url, token, *(header or [])):
        if "\r" in text or "\n" in text:
            raise typer.BadParameter("no part of a request head can have a line break in it")
    for text in header or []:
        if ":" not in text:
            raise typer.BadParameter(f"'{text}' has no colon; write 'Name: value'")
    secure, received = compose_head(method, url, token, header or [])
    with exit_on_config_errors():
        loaded = load_with_keys(config)
    now_s = time.time()  # noqa: TID251 (the edge of the process: read here once, passed on)
    explanation = _explain(loaded.snapshot, received, _address(peer), secure=secure, now_s=now_s)
    if as_json:
        print_json({**explanation.as_dict(), "key_is_ephemeral": loaded.key_is_ephemeral})
        return
    _print(method, explanation)
    _print_notes(loaded, explanation, url)


def _print_notes(loaded: Loaded, explanation: Explanation, url: str) -> None:
    """Say what the answer of the live gateway may depend on besides."""
    if any(check.detail == NOT_ASKED for check in explanation.checks):
        print_heading("note: revocations were not looked up; a token that was revoked is refused")
    if explanation.checks[0].name == "head" and not url.startswith("/") and not _is_url(url):
        print_heading("note: the URL begins neither with http:// nor with /; it was sent as it is")
    decision = explanation.decision
    if isinstance(decision, Respond) and decision.issuer:  # some of its keys were missing
        for warning in loaded.key_warnings:
            print_heading(f"note: {warning}")
    if loaded.key_is_ephemeral:
        print_heading(f"note: no token can verify: {loaded.why_no_key}")


def _is_url(text: str) -> bool:
    return _URL.fullmatch(os.fsencode(text)) is not None


def compose_head(method: str, url: str, token: str, headers: list[str]) -> tuple[bool, bytes]:
    """Return whether the request comes over TLS, and its head as a client would send it.

    The target is exactly what was typed: it is for the gateway to refuse what it does not take.
    """
    typed = os.fsencode(url)
    match = _URL.fullmatch(typed)
    scheme, host, target = match.groups() if match else (b"http", _DEFAULT_HOST, typed)
    if match and not target.startswith(b"/"):
        target = b"/" + target
    lines = [b"%b %b HTTP/1.1" % (os.fsencode(method), target)]
    fields = [os.fsencode(text) for text in headers]
    if not any(field.partition(b":")[0].lower() == b"host" for field in fields):
        lines.append(b"Host: " + host)
    if token:
        lines.append(b"Authorization: Bearer " + os.fsencode(token))
    return scheme.lower() == b"https", b"\r\n".join([*lines, *fields, b"", b""])


def _address(peer: str) -> str:
    try:
        return str(ipaddress.ip_address(peer))
    except ValueError:
        raise typer.BadParameter(f"{peer} is not an IP address", param_hint="--peer") from None


def _explain(
    snapshot: Snapshot, received: bytes, peer: str, *, secure: bool, now_s: float
) -> Explanation:
    try:
        head, _ = HeadReader().feed(received, snapshot)
    except ProtocolError as error:
        return explain_malformed(snapshot, received, error)
    if head is None:
        raise typer.BadParameter("this is no whole request head")
    request = make_request(snapshot, head, peer=peer, secure=secure, new_id=_REQUEST_ID)
    return explain_request(snapshot, request, now_s, NoRevocations(), received=received)


def _print(method: str, explanation: Explanation) -> None:
    print_line(f"{method} {explanation.target}", style="bold")
    print_rows(_summary(explanation))
    print_heading("checks")
    print_rows(
        (f"  {check.name}", "ok" if check.passed else "refused", check.reason or "", check.detail)
        for check in explanation.checks
    )
    if explanation.places:
        print_heading("credential places")
        print_rows((f"  {place.place}", _held(place)) for place in explanation.places)
    if explanation.removed:
        print_heading("headers removed")
        print_rows((f"  {h.name}: {h.value}", f"({h.why})") for h in explanation.removed)
    if explanation.added:
        print_heading("headers added")
        print_rows((f"  {h.name}: {h.value}",) for h in explanation.added)
    if explanation.answer_headers:
        print_heading("answer headers")
        print_rows((f"  {h.name}: {h.value}",) for h in explanation.answer_headers)
    if explanation.routes:
        print_heading("routes")
        print_rows((f"  {r.name}", r.path, r.why_not or "taken") for r in explanation.routes)


def _summary(explanation: Explanation) -> list[tuple[str, str]]:
    decision = explanation.decision
    rows = [("  decision", explanation.outcome), ("  route", explanation.route or "none")]
    if isinstance(decision, Respond):
        if decision.unchecked is None:
            rows.append(("  status", f"{decision.status} {decision.reason or ''}".rstrip()))
        rows.append(("  detail", decision.detail or "nothing to say"))
    rows += [("  upstream", url) for url in explanation.upstream_urls]
    return rows


def _held(place: PlaceReport) -> str:
    if place.other_kind:
        return "something of another kind, which is no credential here"
    if not place.lengths_bytes:
        return "nothing"
    return " and ".join(f"{length} bytes" for length in place.lengths_bytes)
