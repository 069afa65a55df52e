"""The story that ``gateway demo`` walks through, as a table: what is sent, and what is told of it.

To tell more of it, append a ``Step``. Each is a real request; each ``Told`` is checked against the
answer, and the walk fails where one does not hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: Any  # JSON, or text where it is none; None where there is no body

    def member(self, name: str) -> Any:  # noqa: ANN401 (any JSON value)
        """Return a member of the body, or None."""
        return self.body.get(name) if isinstance(self.body, dict) else None

    def service_saw(self, name: str) -> list[str]:
        """Return the values of a field that ``/echo`` says the service received."""
        fields = self.member("headers") or []
        return [value for field_name, value in fields if field_name == name]


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that the walk tells of an answer, and how to see that it holds."""

    text: str
    holds: Callable[[Answer], bool]


Show: TypeAlias = Callable[[Answer], Any]


def _whole_body(answer: Answer) -> Any:  # noqa: ANN401 (any JSON value)
    return answer.body


def _identity_headers(answer: Answer) -> dict[str, str]:
    fields = answer.member("headers") or []
    return {name: value for name, value in fields if name.startswith(("x-user", "x_user"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of the story. ``$NAME`` in a header's value or the body is a kept variable."""

    title: str
    path: str
    status: int
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    json: Mapping[str, Any] | None = None
    told: tuple[Told, ...] = ()
    keeps: Mapping[str, str] = field(default_factory=dict)  # variable -> member of the answer
    shows: Show = _whole_body  # what of the body is worth printing


def _reason(reason: str) -> Told:
    return Told(f"the reason is {reason}", lambda answer: answer.member("reason") == reason)


_LISTED: Final = Told("the products are there", lambda answer: bool(answer.member("products")))
_BEARER: Final = ("Authorization", "Bearer $TOKEN")

STEPS: Final = (
    Step(
        title="The products without a token",
        path="/api/products",
        status=401,
        told=(
            _reason("credential_missing"),
            Told(
                "the challenge is a bare Bearer",
                lambda a: a.headers.get("www-authenticate") == 'Bearer realm="gateway"',
            ),
        ),
    ),
    Step(
        title="Log in as aymen",
        method="POST",
        path="/authenticate",
        json={"username": "aymen", "password": "aymen-demo"},
        status=200,
        told=(
            Told(
                "a token of type Bearer came",
                lambda a: bool(a.member("token")) and a.member("token_type") == "Bearer",
            ),
        ),
        keeps={"TOKEN": "token", "REFRESH_TOKEN": "refresh_token"},
    ),
    Step(
        title="The products with the token in Authorization",
        path="/api/products",
        headers=(_BEARER,),
        status=200,
        told=(_LISTED,),
    ),
    Step(
        title="The same with the raw token in access-token",
        path="/api/products",
        headers=(("access-token", "$TOKEN"),),
        status=200,
        told=(_LISTED,),
    ),
    Step(
        title="What the service, which knows nothing of tokens, saw of the caller (x-user-* only)",
        path="/api/echo",
        headers=(_BEARER,),
        status=200,
        told=(
            Told("it saw who is calling", lambda a: a.service_saw("x-user-name") == ["aymen"]),
            Told("it never saw the token", lambda a: not a.service_saw("authorization")),
        ),
        shows=_identity_headers,
    ),
    Step(
        title="A client that says itself who it is (x-user-* only)",
        path="/api/echo",
        headers=(_BEARER, ("X-User-Id", "admin"), ("X_User_Name", "admin")),
        status=200,
        told=(
            Told(
                "the spoofed X-User-Id did not arrive",
                lambda a: (
                    len(a.service_saw("x-user-id")) == 1 and a.service_saw("x-user-id") != ["admin"]
                ),
            ),
            Told("nor did X_User_Name", lambda a: not a.service_saw("x_user_name")),
        ),
        shows=_identity_headers,
    ),
    Step(
        title="aymen is no admin and may not create a product",
        method="POST",
        path="/api/products",
        headers=(_BEARER,),
        json={"name": "Argan oil", "price_cents": 1990},
        status=403,
        told=(_reason("role_missing"),),
    ),
    Step(
        title="The next pair of tokens, for the refresh token, which is spent by it",
        method="POST",
        path="/refresh",
        json={"refresh_token": "$REFRESH_TOKEN"},
        status=200,
        told=(
            Told("a token came", lambda a: bool(a.member("token"))),
            Told("and another refresh token", lambda a: bool(a.member("refresh_token"))),
        ),
        keeps={"NEW_TOKEN": "token"},
    ),
    Step(
        title="The new token counts as the old one did",
        path="/api/products",
        headers=(("Authorization", "Bearer $NEW_TOKEN"),),
        status=200,
        told=(_LISTED,),
    ),
    Step(
        title="Log out: the session ends",
        method="POST",
        path="/logout",
        headers=(("Authorization", "Bearer $NEW_TOKEN"),),
        status=204,
    ),
    Step(
        title="The old token, which has not expired",
        path="/api/products",
        headers=(_BEARER,),
        status=401,
        told=(_reason("token_revoked"),),
    ),
    Step(
        title="The new one",
        path="/api/products",
        headers=(("Authorization", "Bearer $NEW_TOKEN"),),
        status=401,
        told=(_reason("token_revoked"),),
    ),
)
