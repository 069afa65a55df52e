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
    cors = route.cors
    kept = []
    for line in head.split(b"\r\n"):
        name = line.partition(b":")[0].lower()
        if not (cors is not None and name.startswith(PREFIX)):
            kept.append(line)
    if cors is not None:
        kept[-1:] = [*(b"%b: %b" % field for field in cors.answer_fields(fields)), b""]
    return b"\r\n".join(kept)
