"""Cookies of a request, split without losing any and without believing any twice.

``http.cookies.SimpleCookie`` drops every cookie when one is malformed and lets the last of two
equal names win; a gateway that reads its credential there can afford neither.
"""


def split_cookies(lines: list[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    """Return every cookie of the ``Cookie`` field lines as (name, value, text as received).

    White space around a name is not part of it: services trim it, so ``session =x`` is ``session``.

    Source: RFC 6265 section 5.4, reversed: pairs are separated by ``;``, the first ``=`` ends a
    name.
    """
    cookies = []
    for line in lines:
        for text in line[line.index(b":") + 1 :].split(b";"):
            pair = text.strip(b" \t")
            name, _, value = pair.partition(b"=")
            if pair:
                name = name.rstrip(b" \t")
                cookies.append((name, value.strip(b'"') if value.startswith(b'"') else value, pair))
    return cookies
