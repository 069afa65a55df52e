"""A table of revocations against a plain dictionary of them."""

from typing import Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.issuer.revocation_log import Digest
from gateway.issuer.revocation_table import KEPT_AFTER_EXPIRY_S, RevocationTable
from gateway.store.revocations import Revocation, RevocationKind
from tests.kit.revocations import NOW_S


class Purge(NamedTuple):
    """Purge at this time."""

    now_s: float


_TIMES: Final = st.integers(-20, 20).map(lambda steps: NOW_S + steps * 600.0)
_KINDS: Final = st.sampled_from(RevocationKind)
_KEYS: Final = st.sampled_from([str(number) for number in range(24)])
_REVOCATIONS: Final = st.builds(
    Revocation,
    kind=_KINDS,
    key=_KEYS,
    expires_at_s=_TIMES,
    not_before_s=st.none() | _TIMES,
)
_STEPS: Final = st.lists(
    st.lists(_REVOCATIONS, min_size=1, max_size=12) | st.builds(Purge, _TIMES), max_size=25
)


class Collisions(RevocationTable):
    """A table in which everything wants one of two places."""

    def digest(self, name: str, value: str) -> Digest:
        """Return a digest that differs from others in its first half only."""
        high, low = super().digest(name, value)
        return high, low & 1


class Model:
    """What a table is to be."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], tuple[float, float]] = {}

    def add(self, revocation: Revocation) -> None:
        """Revoke."""
        until = revocation.not_before_s
        if until is None or revocation.kind is not RevocationKind.USER:
            until = float("inf")
        key = (revocation.kind.value, revocation.key)
        known = self.entries.get(key, (until, revocation.expires_at_s))
        self.entries[key] = (max(known[0], until), max(known[1], revocation.expires_at_s))

    def purge(self, now_s: float) -> None:
        """Forget."""
        kept_s = now_s - KEPT_AFTER_EXPIRY_S
        self.entries = {k: times for k, times in self.entries.items() if times[1] > kept_s}

    def is_revoked(self, kind: str, key: str, issued_at_s: int, now_s: float) -> bool:
        """Whether a token counts no more."""
        until, expires_at_s = self.entries.get((kind, key), (-1, -1))
        return issued_at_s <= until and now_s < expires_at_s


@pytest.mark.parametrize("kind", [RevocationTable, Collisions])
@settings(deadline=None)
@given(steps=_STEPS, issued_at_s=_TIMES.map(int), now_s=_TIMES)
def test_a_table_is_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory,
    kind: type[RevocationTable],
    steps: list[list[Revocation] | Purge],
    issued_at_s: int,
    now_s: float,
) -> None:
    """Whatever is added, purged, grown and shared, every process knows what a dictionary would."""
    path = tmp_path_factory.mktemp("table") / "revocations"
    table = kind.create(path, 8)
    other = kind(path)
    model = Model()

    for step in steps:
        if not isinstance(step, Purge):
            table.add(step)
            for revocation in step:
                model.add(revocation)
        elif table.purge(step.now_s):
            model.purge(step.now_s)

        for claim in RevocationKind:
            for key in range(24):
                asked = (claim.value, str(key))
                expected = model.is_revoked(*asked, issued_at_s, now_s)
                assert other.is_revoked([asked], issued_at_s, now_s) is expected
        table, other = other, table  # each writes in turn
    table.close()
    other.close()
