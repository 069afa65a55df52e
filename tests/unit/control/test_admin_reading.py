"""What the admin API reads of queries; bodies are tested where their members mean something."""

import pytest
from starlette.requests import Request

from gateway.control.admin_reading import DEFAULT_PAGE, MAX_PAGE, PageQuery, parse_page_query
from gateway.errors import ProtocolError, Reason


def asked(query: bytes) -> Request:
    """Return a request with this query."""
    return Request({"type": "http", "method": "GET", "headers": [], "query_string": query})


@pytest.mark.parametrize(
    ("query", "page"),
    [
        pytest.param(b"", PageQuery("", DEFAULT_PAGE), id="none"),
        pytest.param(b"limit=1", PageQuery("", 1), id="least"),
        pytest.param(b"limit=1000", PageQuery("", MAX_PAGE), id="most"),
        pytest.param(b"after=", PageQuery("", DEFAULT_PAGE), id="empty-after"),
        pytest.param(b"after=a+b%26%C3%A9&limit=7", PageQuery("a b&é", 7), id="escaped"),
        pytest.param(b"user_id=u%2F1", PageQuery("", DEFAULT_PAGE, "u/1"), id="user"),
    ],
)
def test_a_page_is_asked_for(query: bytes, page: PageQuery) -> None:
    """Every parameter may be absent."""
    assert parse_page_query(asked(query), takes_user=True) == page


@pytest.mark.parametrize(
    "query",
    [
        b"limit=0",
        b"limit=-1",
        b"limit=1001",
        b"limit=10000",
        b"limit=007",
        b"limit=1.0",
        b"limit=",
        b"limit=%D9%A1",
        b"limit=1_0",
        b"limit=1&limit=2",
        b"after=%00",
        b"after=%FF",
        b"after=\xe9",
        b"after",
        b"&",
        b"Limit=1",
        b"offset=1",
        b"access_token=x",
        b"user_id=",
        b"user_id=%00",
    ],
)
def test_a_query_that_means_nothing_is_refused(query: bytes) -> None:
    """A misspelt parameter would else give another list than was asked for."""
    with pytest.raises(ProtocolError) as caught:
        parse_page_query(asked(query), takes_user=True)
    assert caught.value.reason is Reason.BAD_REQUEST


def test_users_are_not_listed_by_user() -> None:
    """What one list takes, another does not."""
    with pytest.raises(ProtocolError):
        parse_page_query(asked(b"user_id=x"))


@pytest.mark.parametrize(
    ("found", "page", "cursor"),
    [
        pytest.param([], [], None, id="none"),
        pytest.param(["a"], ["a"], None, id="fewer"),
        pytest.param(["a", "b"], ["a", "b"], None, id="as-many"),
        pytest.param(["a", "b", "c"], ["a", "b"], "B", id="more"),
    ],
)
def test_a_page_says_whether_there_is_another(
    found: list[str], page: list[str], cursor: str | None
) -> None:
    """One more than the page tells."""
    assert PageQuery("", 2).cut(found, str.upper) == (page, cursor)
