"""What a route changes in the head of a service's answer before it is passed on."""

from gateway.http1.fields import Fields
from gateway.policy.cors import PREFIX
from gateway.policy.model import Route


def edit_answer(route: Route, fields: Fields, head: bytes) -> bytes:
    """Return the head of an answer as the client gets it.

    Args:
        route: One that ``edits_answers``.
        fields: Of the request.
        head: The status line and the fields that pass, each with its CRLF.
    """
    status, *lines = head.split(b"\r\n")
    lines.pop()  # what stands behind the last CRLF
    if route.answer_changes is not None:
        lines = route.answer_changes.apply(lines)
    cors = route.cors
    if cors is not None:
        lines = [line for line in lines if line[: len(PREFIX)].lower() != PREFIX]
        lines += [b"%b: %b" % field for field in cors.answer_fields(fields)]
    return b"\r\n".join([status, *lines, b""])
