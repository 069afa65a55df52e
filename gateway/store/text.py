"""What text a database can hold, for text that comes from outside."""

from typing import Final

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def is_storable(text: str) -> bool:
    """Whether both databases hold *text* as it is: no NUL, no half of a surrogate pair.

    What cannot be stored was never stored: whoever looks for it has the answer without a query.
    """
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def shown(text: str, limit: int) -> str:
    """Return *text* for a listing: printable, and at most *limit* characters of it."""
    return "".join(c if c.isprintable() else _REPLACEMENT for c in text[:limit])
