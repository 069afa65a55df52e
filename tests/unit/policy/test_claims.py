"""Reading claims: by path, and the two that requirements name."""

from typing import Any

import pytest

from gateway.policy.claims import find_claim, roles_of, scopes_of

CLAIMS = {
    "sub": "alice",
    "none": None,
    "org": {"plan": "pro", "team": {"id": 7}, "none": None},
    "https://example.com/roles": ["a"],
    "org.flat": "flat",
    "list": [{"a": 1}],
}


@pytest.mark.parametrize(
    ("path", "claim"),
    [
        ("sub", "alice"),
        ("org.plan", "pro"),
        ("org.team.id", 7),
        ("org.team", {"id": 7}),
        ("https://example.com/roles", ["a"]),
        ("org.flat", "flat"),
        ("*", CLAIMS),
        ("none", None),
        ("org.none", None),
        ("absent", None),
        ("org.absent", None),
        ("sub.absent", None),
        ("list.a", None),
        ("", None),
    ],
)
def test_a_claim_is_found_by_its_path(path: str, claim: Any) -> None:
    """A dot leads into an object, unless a claim is itself named so; absent and null are one."""
    assert claim == find_claim(CLAIMS, path)


@pytest.mark.parametrize(
    ("roles", "held"),
    [
        pytest.param(["a", "b"], {"a", "b"}, id="list"),
        pytest.param("a,b c", {"a,b c"}, id="one-string"),
        pytest.param(["a", 1, None, ["b"]], {"a"}, id="not-all-strings"),
        pytest.param({"a": 1}, set(), id="object"),
        pytest.param(None, set(), id="null"),
    ],
)
def test_roles_are_strings_and_never_split(roles: Any, held: set[str]) -> None:
    """A single string is one role, whatever it contains."""
    assert held == roles_of({"roles": roles})


@pytest.mark.parametrize(
    ("claims", "held"),
    [
        pytest.param({"scope": "a b  c"}, {"a", "b", "c"}, id="rfc8693"),
        pytest.param({"scp": ["a", "b"]}, {"a", "b"}, id="scp-list"),
        pytest.param({"scp": "a b"}, {"a", "b"}, id="scp-string"),
        pytest.param({"scope": "", "scp": ["a"]}, set(), id="scope-wins"),
        pytest.param({"scope": 5}, set(), id="number"),
        pytest.param({}, set(), id="none"),
    ],
)
def test_scopes_are_separated_by_spaces(claims: dict[str, Any], held: set[str]) -> None:
    """RFC 8693 section 4.2."""
    assert held == scopes_of(claims)
