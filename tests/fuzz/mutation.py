"""A seeded mutator over a corpus of messages: the same seed gives the same cases, on any machine.

``FUZZ_SEED`` and ``FUZZ_FACTOR`` make other and longer runs by hand.
"""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

SEED: Final = int(os.environ.get("FUZZ_SEED", "1"))
FACTOR: Final = int(os.environ.get("FUZZ_FACTOR", "1"))  # how many times the usual number of cases
CORPUS: Final = Path(__file__).parent / "corpus"

_MAX_BYTES: Final = 4096
_BYTES: Final = b'\0\t\n\v\r "#%,-./0:;=?@A\\_{}~\x7f\x80\xa0\xff'
_WORDS: Final = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\r\n ", b"\r\n\t", b": ", b" :", b";", b",", b"%00",
    b"%2e", b"%2F", b"..", b"//", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1 ", b"Content-Length: 0\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding: identity\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
    b"Connection: Host\r\n", b"Expect: 100-continue\r\n", b"Host: gw.test\r\n", b"X-User: evil\r\n",
    b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"1\r\na\r\n", b"GET /admin HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
)  # fmt: skip


def read_corpus(folder: str) -> list[bytes]:
    """Return the messages of a folder of the corpus, in the order of their names."""
    return [path.read_bytes() for path in sorted((CORPUS / folder).iterdir())]


class Mutator:
    """Makes cases out of a corpus."""

    def __init__(self, corpus: list[bytes], seed: int = SEED) -> None:
        self.random = random.Random(seed)
        self._corpus = corpus
        self._edits: tuple[Callable[[bytes], bytes], ...] = (
            self._replace_byte, self._insert_byte, self._insert_word, self._overwrite_with_word,
            self._delete, self._repeat, self._splice, self._move_line, self._change_case,
        )  # fmt: skip

    def cases(self, count: int) -> Iterator[bytes]:
        """Yield each message as it is, and then mutants, *count* cases in all."""
        yield from self._corpus[:count]
        for _ in range(count - len(self._corpus)):
            yield self.mutate(self.random.choice(self._corpus))

    def mutate(self, data: bytes) -> bytes:
        """Return *data* after a few edits, most often one or two."""
        for _ in range(min(1 + int(self.random.expovariate(0.9)), 8)):
            data = self.random.choice(self._edits)(data)
        return data[:_MAX_BYTES]

    def cut(self, data: bytes) -> list[bytes]:
        """Return *data* in up to four pieces."""
        places = sorted(self.random.randint(0, len(data)) for _ in range(self.random.randint(0, 3)))
        ends = [*places, len(data)]
        return [data[start:end] for start, end in zip([0, *places], ends, strict=True)]

    def _place(self, data: bytes) -> int:
        return self.random.randint(0, len(data))

    def _slice(self, data: bytes) -> tuple[int, int]:
        start = self._place(data)
        return start, min(len(data), start + int(self.random.expovariate(0.1)) + 1)

    def _replace_byte(self, data: bytes) -> bytes:
        place = self._place(data)
        return data[:place] + self._byte() + data[place + 1 :]

    def _insert_byte(self, data: bytes) -> bytes:
        place = self._place(data)
        return data[:place] + self._byte() + data[place:]

    def _insert_word(self, data: bytes) -> bytes:
        place = self._place(data)
        if self.random.random() < 0.5:  # where a word of a message can stand
            place = data.find(b"\r\n", place) + 2
        return data[:place] + self.random.choice(_WORDS) + data[place:]

    def _overwrite_with_word(self, data: bytes) -> bytes:
        start, end = self._slice(data)
        return data[:start] + self.random.choice(_WORDS) + data[end:]

    def _delete(self, data: bytes) -> bytes:
        start, end = self._slice(data)
        return data[:start] + data[end:]

    def _repeat(self, data: bytes) -> bytes:
        start, end = self._slice(data)
        return data[:end] + data[start:end] * self.random.choice((1, 1, 2, 40)) + data[end:]

    def _splice(self, data: bytes) -> bytes:
        other = self.random.choice(self._corpus)
        return data[: self._place(data)] + other[self._place(other) :]

    def _move_line(self, data: bytes) -> bytes:
        lines = data.split(b"\r\n")
        line = lines.pop(self.random.randrange(len(lines)))
        lines.insert(self.random.randint(0, len(lines)), line)
        return b"\r\n".join(lines)

    def _change_case(self, data: bytes) -> bytes:
        start, end = self._slice(data)
        return data[:start] + data[start:end].swapcase() + data[end:]

    def _byte(self) -> bytes:
        if self.random.random() < 0.7:
            return bytes([self.random.choice(_BYTES)])
        return bytes([self.random.randrange(256)])
