"""The path that a service is sent where a route rewrites it: literals and captured segments.

No rewritten path can be read in two ways: it is made of whole segments, and each of them is either
a literal that was held to the rules of ``http1.target`` when the file was loaded, or one that
passed those rules with the request (THREATS.md PATH-19, PATH-20).
"""

from dataclasses import dataclass
from typing import Final

from gateway.http1.target import Target

_REST: Final = "**"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A template, compiled against the path of its route."""

    template: str  # as configured
    parts: tuple[bytes | int, ...]  # literals, and the places of captured segments
    rest_from: int | None = None  # the place of the first segment that ``**`` took

    def path(self, target: Target) -> bytes:
        """Return the path for the service; the final "/" of what ``**`` took stays."""
        segments = target.segments
        parts = [part if isinstance(part, bytes) else segments[part] for part in self.parts]
        if self.rest_from is not None:
            parts += segments[self.rest_from :]
            if target.path.endswith(b"/"):
                parts.append(b"")
        return b"/" + b"/".join(parts)


def compile_rewrite(template: str, path: str) -> Rewrite:
    """Compile a checked template against the checked path of a route.

    Raises:
        KeyError: The path does not capture a segment that the template names, nor the rest.
    """
    places = {segment: place for place, segment in enumerate(path[1:].split("/"))}
    parts: list[bytes | int] = []
    rest_from = None
    for segment in template[1:].split("/"):
        if segment == _REST:
            rest_from = places[segment]
        elif segment.startswith("{"):
            parts.append(places[segment])
        else:
            parts.append(segment.encode("ascii"))
    return Rewrite(template, tuple(parts), rest_from)
