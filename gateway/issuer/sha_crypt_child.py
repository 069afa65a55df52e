"""Verifies one SHA-crypt hash in a process of its own; run by ``sha_crypt``, by path.

It reads ``{"password": ..., "hash": ...}`` from standard input and writes one word. Neither stands
in an argument, which other users of the host could read. It imports as little as it can: its start
is most of what a hash of few rounds costs.
"""

import json
import sys

from passlib.handlers.sha2_crypt import sha256_crypt, sha512_crypt


def is_right(password: str, text: str) -> bool:
    """Whether *text*, ``$5$`` or ``$6$``, was made of *password*; compares in constant time."""
    scheme = sha256_crypt if text.startswith("$5$") else sha512_crypt
    return scheme.verify(password, text)


def main() -> None:
    """Answer one question."""
    question = json.load(sys.stdin)
    sys.stdout.write("right" if is_right(question["password"], question["hash"]) else "wrong")


if __name__ == "__main__":
    main()
