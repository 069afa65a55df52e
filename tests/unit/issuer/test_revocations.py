"""A worker's view of revocations."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.revocations import MAX_SILENCE_S, RevocationView
from gateway.policy.revoked import Revocations
from gateway.store.revocations import Revocation
from tests.kit.revocations import (
    NOW_S,
    CheckedToken,
    session_revocation,
    token_revocation,
    user_revocation,
)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[RevocationTable]:
    """An empty table."""
    table = RevocationTable.create(tmp_path / "revocations", 8)
    yield table
    table.close()


def _token() -> CheckedToken:
    return CheckedToken(jti="t-1", sid="s-1")


def test_the_view_is_what_the_policy_asks(table: RevocationTable) -> None:
    """The two rooms agree about the questions."""
    view: Revocations = RevocationView(table)

    assert not view.is_revoked(_token(), NOW_S)


@pytest.mark.parametrize(
    ("revocation", "is_revoked"),
    [
        pytest.param(token_revocation("t-1"), True, id="token"),
        pytest.param(token_revocation("t-2"), False, id="another-token"),
        pytest.param(token_revocation("s-1"), False, id="token-with-the-sessions-id"),
        pytest.param(token_revocation("t-1", NOW_S), False, id="expired"),
        pytest.param(token_revocation("t-1", NOW_S + 0.5), True, id="expires-within-the-second"),
        pytest.param(session_revocation("s-1"), True, id="session"),
        pytest.param(user_revocation("aymen", NOW_S), True, id="user-in-the-second-of-iat"),
        pytest.param(user_revocation("aymen", NOW_S + 0.9), True, id="user-later-in-that-second"),
        pytest.param(user_revocation("aymen", NOW_S - 0.1), False, id="user-the-second-before"),
        pytest.param(user_revocation("aymen", -1.0), False, id="user-before-all-time"),
        pytest.param(user_revocation("aymen", None), True, id="user-whenever"),
        pytest.param(user_revocation("alice", NOW_S), False, id="another-user"),
    ],
)
def test_a_revocation_ends_what_it_names(
    table: RevocationTable,
    revocation: Revocation,
    *,
    is_revoked: bool,
) -> None:
    """SES-09: by token, by session, and by user up to and with the second of the not-before."""
    token = _token()
    view = RevocationView(table)
    assert not view.is_revoked(token, NOW_S)

    table.add([revocation])

    assert view.is_revoked(token, NOW_S) is is_revoked
    assert view.is_revoked(token, NOW_S) is is_revoked


def test_another_issuers_token_is_not_ended_with_our_user(table: RevocationTable) -> None:
    """CACHE-03: their ``aymen`` is another person; their token can be revoked by its own id."""
    token = CheckedToken(own=False, jti="t-1", sid="s-1")
    view = RevocationView(table)

    table.add([user_revocation("aymen", NOW_S), session_revocation("s-1")])
    assert not view.is_revoked(token, NOW_S)
    table.add([token_revocation("t-1")])

    assert view.is_revoked(token, NOW_S)


def test_a_token_is_looked_up_once_for_each_epoch(
    table: RevocationTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing is revoked, a request costs one comparison."""
    token = _token()
    view = RevocationView(table)
    asked = 0

    def is_revoked(*_: object) -> bool:
        nonlocal asked
        asked += 1
        return False

    monkeypatch.setattr(table, "is_revoked", is_revoked)
    for key in ("x", "y", "y"):
        table.add([token_revocation(key)])
        for _ in range(3):
            assert not view.is_revoked(token, NOW_S)

    assert asked == 2  # the second "y" changed nothing


def test_a_revocation_during_the_look_up_is_not_missed(
    table: RevocationTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CACHE-06: the token is remembered as good at the epoch from before it was looked up."""
    token = _token()
    view = RevocationView(table)

    def is_revoked(*_: object) -> bool:
        table.add([token_revocation("t-1")])
        return False

    with monkeypatch.context() as patch:
        patch.setattr(table, "is_revoked", is_revoked)
        assert not view.is_revoked(token, NOW_S)

    assert view.is_revoked(token, NOW_S)


@pytest.mark.parametrize(
    ("contact_s", "is_stale"),
    [
        pytest.param(None, True, id="never"),
        pytest.param(NOW_S, False, id="now"),
        pytest.param(NOW_S - MAX_SILENCE_S, False, id="just-in-time"),
        pytest.param(NOW_S - MAX_SILENCE_S - 0.001, True, id="too-long-ago"),
        pytest.param(NOW_S + 1, False, id="a-moment-ahead"),
        pytest.param(NOW_S + 3600, True, id="clock-set-back"),
    ],
)
def test_a_view_says_when_the_store_has_been_silent(
    table: RevocationTable, contact_s: float | None, *, is_stale: bool
) -> None:
    """CACHE-10, SES-24: an hour on the clock is no contact, in either direction."""
    if contact_s is not None:
        table.stamp_contact(contact_s)

    assert RevocationView(table).is_stale(NOW_S) is is_stale


def test_all_processes_share_the_contact(table: RevocationTable, tmp_path: Path) -> None:
    """One process reaches the store for all, and a later contact counts, earlier or not."""
    other = RevocationTable(tmp_path / "revocations")
    view = RevocationView(other, max_silence_s=5)

    table.stamp_contact(NOW_S + 3600)
    table.stamp_contact(NOW_S)

    assert not view.is_stale(NOW_S + 5)
    assert view.is_stale(NOW_S + 6)
    other.close()


def test_the_epoch_moves_each_time_that_a_user_is_changed(table: RevocationTable) -> None:
    """An API key that was looked up after the first change is to be looked up after the second."""
    table.add([user_revocation("zoe", NOW_S)])
    epoch, count = table.epoch, table.count
    table.add([user_revocation("zoe", NOW_S)])

    assert (table.epoch, table.count) == (epoch + 1, count)
