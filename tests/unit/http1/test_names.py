"""Field names: every spelling that some service reads as another name is judged as that name."""

import pytest

from gateway.http1.names import MEMO_ENTRIES, MEMO_NAME_BYTES, FieldKind, NameTable, fold


@pytest.mark.parametrize(
    "name",
    [
        b"X-User-Id",
        b"x-user-id",
        b"X_User_Id",
        b"X_USER-ID",
        b"x.user.id",
        b"X!user~id",
        b"X'User'Id",
    ],
)
def test_all_spellings_fold_to_one(name: bytes) -> None:
    """CVE-2025-64484, CVE-2026-54763: CGI, WSGI, Rack and PHP read these as one name."""
    assert fold(name) == b"x-user-id"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(b"Accept", FieldKind.PASS, id="ordinary"),
        pytest.param(b"X-Users", FieldKind.PASS, id="longer-than-reserved"),
        pytest.param(b"x-uSeR", FieldKind.DROP, id="reserved"),
        pytest.param(b"X_User", FieldKind.DROP, id="reserved-odd"),
        pytest.param(b"X_Other", FieldKind.DROP, id="odd"),
        pytest.param(b"", FieldKind.DROP, id="empty"),
        pytest.param(b"TE", FieldKind.DROP, id="hop-by-hop"),
        pytest.param(b"host", FieldKind.HOST, id="host"),
        pytest.param(b"Content_Length", FieldKind.DROP, id="framing-odd"),
        pytest.param(b"AUTHORIZATION", FieldKind.CREDENTIAL, id="credential"),
        pytest.param(b"Cookie", FieldKind.COOKIE, id="cookie"),
        pytest.param(b"X-Forwarded-Anything", FieldKind.FORWARDING, id="forwarding-prefix"),
        pytest.param(b"x-original-url", FieldKind.FORWARDING, id="original-prefix"),
        pytest.param(b"X_Forwarded_For", FieldKind.DROP, id="forwarding-odd"),
        pytest.param(b"X-Request-Id", FieldKind.REQUEST_ID, id="request-id"),
    ],
)
def test_each_name_has_a_kind(name: bytes, kind: FieldKind) -> None:
    """DESIGN.md section 5: what passes is what nothing speaks against."""
    table = NameTable(reserved=[b"X-User"], credentials=[b"Authorization"], cookies=True)

    assert (kind, kind) == (table[name], table[name])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(b"X_Other", FieldKind.PASS, id="odd"),
        pytest.param(b"X_User", FieldKind.DROP, id="reserved"),
        pytest.param(b"X.Forwarded.For", FieldKind.DROP, id="forwarding"),
        pytest.param(b"Content_Length", FieldKind.DROP, id="framing"),
        pytest.param(b"Cookie", FieldKind.PASS, id="cookie-without-credential"),
    ],
)
def test_odd_names_may_be_kept_unless_they_mean_something(name: bytes, kind: FieldKind) -> None:
    """DESIGN.md section 5, ``limits.odd_header_names: keep``."""
    assert kind is NameTable(reserved=[b"X-User"], keep_odd_names=True)[name]


def test_a_reserved_name_is_dropped_even_where_a_credential_may_sit() -> None:
    """What only the gateway may set is never taken from a client."""
    assert NameTable(reserved=[b"X-Key"], credentials=[b"X-Key"])[b"x-key"] is FieldKind.DROP


def test_the_memory_of_spellings_is_bounded() -> None:
    """A client that sends ever new names gets them judged, not remembered."""
    table = NameTable()
    table[b"a" * (MEMO_NAME_BYTES + 1)]
    assert len(table) == 0
    for number in range(MEMO_ENTRIES + 10):
        assert table[b"x-%d" % number] is FieldKind.PASS

    assert len(table) == MEMO_ENTRIES
