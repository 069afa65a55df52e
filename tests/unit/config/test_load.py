"""From a file to settings, and the words for what is wrong with it."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.compile import compile_snapshot, find_warnings
from gateway.config.load import load_config
from gateway.errors import ConfigErrors, Place
from gateway.policy.password_hashes import ACCEPTED_FORMS
from tests.unit.config.conftest import BASE, Complain, Read

LIST = "write a list: [first, second]"
MAPPING = "write keys and values: {key: value}"
COUNT = "write a whole number from 1 on, without quotes"

# What stands behind BASE (from line 5 on), and what is said: place, fault and cure.
FAULTS = [
    pytest.param("lisen: x", "f:5: unknown key 'lisen' -> did you mean 'listen'?", id="typo"),
    pytest.param(
        "zzz: 1",
        "f:5: unknown key 'zzz' -> known keys: access_log, admin, claim_headers, credentials, "
        "issuers, limits, listen, redis, reload_on_change, routes, runtime_dir, store, store_key, "
        "tls, tokens, tracing, trusted_proxies, upstreams, users, version, workers",
        id="unknown",
    ),
    pytest.param(
        "secret: hunter2", "f:5: unknown key 'secret' -> it belongs under 'tokens'", id="misplaced"
    ),
    pytest.param(
        "redis: x",
        "f:5: redis: this is not the URL of a Redis -> write redis://:password@host:6379/0, or "
        "rediss:// for TLS",
        id="redis",
    ),
    pytest.param("routes: x", f"f:5: routes: this is not a list -> {LIST}", id="no-list"),
    pytest.param(
        "routes: [x]", f"f:5: routes[0]: this is not a mapping -> {MAPPING}", id="no-section"
    ),
    pytest.param(
        "claim_headers: [x]",
        f"f:5: claim_headers: this is not a mapping -> {MAPPING}",
        id="no-mapping",
    ),
    pytest.param(
        "limits:\n  connections: lots",
        f"f:6: limits.connections: 'lots' is not a count -> {COUNT}",
        id="count",
    ),
    pytest.param(
        "limits: {head_timeout: 10}",
        "f:5: limits.head_timeout: 10 is not a duration -> write a whole number and its unit: "
        "250ms, 30s, 24m, 12h or 30d",
        id="bare-number",
    ),
    pytest.param(
        "limits: {odd_header_names: NO}",
        "f:5: limits.odd_header_names: 'NO' is not one of the known values -> write drop or keep",
        id="literal",
    ),
    pytest.param(
        "claim_headers:\n  X_User:\n    sub",
        "f:6: claim_headers.X_User: 'X_User' is not a header name -> use letters, digits and '-' "
        "only, for example X-User-Id",
        id="bad-key",
    ),
    pytest.param(
        "claim_headers: {X-A: ''}",
        "f:5: claim_headers.X-A: the text is empty -> write something, or remove the line",
        id="short-form",
    ),
    pytest.param(
        "routes:\n- path: /x\n  methods: [NO]",
        "f:6: routes[0]: the key 'upstream' is missing -> add 'upstream: ...'\n"
        "f:7: routes[0].methods[0]: unknown method 'NO' -> "
        "methods are GET, HEAD, POST, PUT and so on",
        id="several",
    ),
    pytest.param(
        "routes: [{path: /, upstream: products, methods: []}]",
        "f:5: routes[0].methods: the list is empty -> name at least one, or remove the key",
        id="empty-list",
    ),
    pytest.param(
        "limits: {fields: '${NONE}', connections: '${WORD}'}",
        "f:5: limits.fields: the environment variable NONE is not set -> set it, or give a "
        f"default: ${{NONE:-...}}\nf:5: limits.connections: '${{WORD}}' is not a count -> {COUNT}",
        id="variables",
    ),
    pytest.param(
        "users: [{username: '${NONE}', password_hash: x, roles: []}]",
        "f:5: users[0].username: the environment variable NONE is not set -> set it, or give a "
        "default: ${NONE:-...}\n"
        "f:5: users[0].password_hash: this is not a hash of a password -> make one with "
        f"'gateway hash-password', or bring one along: {ACCEPTED_FORMS}",
        id="variable-and-other",
    ),
]


@pytest.mark.parametrize(("more", "expected"), FAULTS)
def test_each_fault_has_place_words_and_cure(
    more: str, expected: str, complain_more: Complain
) -> None:
    """The place, the fault and the cure, in our words; all faults of the file in one run."""
    assert complain_more(more, {"WORD": "hunter2"}) == expected


def test_a_variable_that_is_missing_is_all_that_is_wrong(complain_more: Complain) -> None:
    """Where everything else is right, the missing variable is still an error."""
    assert complain_more("users: []\ntrusted_proxies: ['${NONE:-10.0.0.0/8}', '${NIL}']") == (
        "f:6: trusted_proxies[1]: the environment variable NIL is not set -> set it, or give a "
        "default: ${NIL:-...}"
    )
    assert complain_more("claim_headers: {X-A: '${NIL}'}").startswith("f:5: claim_headers.X-A: the")


def test_a_missing_section_is_told_at_the_top(complain: Complain) -> None:
    """What has no line is told for the whole file."""
    assert complain("version: 2") == (
        "f: the key 'tokens' is missing -> add 'tokens: ...'\n"
        "f:1: version: 2 is not a version of this format -> write 1"
    )


def test_faults_come_in_the_order_of_their_lines(complain: Complain) -> None:
    """One reads a file from the top."""
    text = "zz: 1\nversion: true\nlimits: {zz: 1}\n" + "routes: []\n" * 2

    assert [line.split(":")[1] for line in complain(text).splitlines()] == ["5"]
    lines = complain(text.removesuffix("routes: []\n")).splitlines()
    assert [line.split(":")[1] for line in lines] == [
        " the key 'tokens' is missing -> add 'tokens",
        "1",
        "2",
        "3",
    ]


def test_variables_may_stand_for_numbers_and_choices(read_more: Read) -> None:
    """A variable is text; where a number, a truth value or a choice is wanted, it may be one."""
    config = read_more(
        "limits: {fields: '${N}', odd_header_names: '${ODD}', head: '${SIZE}'}\n"
        "routes: [{path: '${P}', upstream: products, forward_credential: '${T}', auth: '${AUTH}',"
        " methods: ['${M}'], require: {claims: {a: '${P}'}}}]",
        {"N": "7", "ODD": "keep", "SIZE": "1KiB", "P": "/x", "T": "true", "M": "GET",
         "AUTH": "optional"},
    )  # fmt: skip
    route = config.settings.routes[0]

    assert (config.settings.limits.fields, config.settings.limits.head) == (7, 1024)
    assert (route.path, route.methods, route.forward_credential) == ("/x", ("GET",), True)
    assert type(route.require.claims["a"][0] if route.require else 0) is str


def test_a_quoted_number_is_no_number(complain_more: Complain) -> None:
    """Only what came out of a variable may be text and a number."""
    assert complain_more("limits: {fields: '7'}").startswith(
        "f:5: limits.fields: '7' is not a count"
    )


def test_places_are_found_by_path(read_more: Read) -> None:
    """Others point at lines of the file too."""
    config = read_more("routes:\n- path: /\n  upstream: products\n")

    place = config.place("routes", 0, "upstream")
    assert (place.line, place.path) == (7, "routes[0].upstream")


def test_secrets_are_never_shown(read: Read) -> None:
    """THREATS.md OPS-19: neither a repr nor an error has a secret."""
    canary = "canary-canary-Canary-canary-canary"
    text = BASE.replace("audience:", f"algorithm: HS256, secret: '{canary}', audience:")
    text += f"store: 'postgresql://u:{canary}@h/d'\nstore_key: '{canary}'\n"
    text += f"admin: {{token: '{canary}'}}\n"
    with pytest.raises(ConfigErrors) as caught:
        read(text.replace("HS256", "HS384") + "tls: {}")

    assert canary not in repr(read(text))
    assert canary not in f"{caught.value} {caught.value.__cause__} {caught.value.errors!r}"


@pytest.mark.parametrize(
    ("content", "first_line"),
    [
        pytest.param(b"a: 1\nb: \xff", "f:2: the file is not UTF-8", id="not-utf-8"),
        pytest.param(b"#" * 1024 * 1025, "f: the file is larger than 1024 KiB", id="large"),
        pytest.param(None, "f: the file cannot be read (No such file or directory)", id="missing"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_error(
    content: bytes | None, first_line: str, tmp_path: Path
) -> None:
    """No traceback for a file that is not there, or no text."""
    path = tmp_path / "f"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigErrors) as caught:
        load_config(path, {})

    assert str(caught.value).replace(str(path), "f").splitlines()[0] == first_line


def test_a_nul_in_the_path_is_one_error() -> None:
    """``--config`` may be anything."""
    with pytest.raises(ConfigErrors, match="not a path"):
        load_config(Path("a\0b"), {})


def load_or_refuse(path: Path) -> None:
    """Load and compile a file; if it is refused, then as it should be."""
    try:
        config = load_config(path, {})
        find_warnings(config, compile_snapshot(config, ()))
    except ConfigErrors as error:
        refused = error
    else:
        return
    assert refused.errors
    assert all(error.cure and error.place.file == str(path) for error in refused.errors)
    assert "pydantic" not in str(refused)


@settings(max_examples=150)
@given(text=st.text(max_size=200))
def test_arbitrary_text_is_a_config_or_config_errors(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the file has, nothing but ConfigErrors comes out."""
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")

    load_or_refuse(path)


KEYS = st.sampled_from(
    [
        "version", "listen", "limits", "tokens", "issuer", "audience", "secret", "algorithm",
        "store", "store_key", "workers", "runtime_dir", "admin", "token", "refresh_lifetime",
        "credentials", "header", "scheme", "cookie", "claim_headers", "claim", "format", "X-A",
        "users", "username", "password_hash", "upstreams", "products", "endpoints", "host",
        "routes", "path", "methods", "upstream", "strip_prefix", "auth", "require", "roles",
        "claims",
    ]
)  # fmt: skip
SCALARS = st.sampled_from(
    [1, 0, True, "x", "/a/**", "/{a}/b", "GET", "127.0.0.1:0", "http://a:1", "${A}", "${A:-1}", "*"]
) | st.text(max_size=5).filter(lambda text: text != "")
TREES = st.recursive(
    SCALARS,
    lambda tree: st.lists(tree, max_size=3) | st.dictionaries(KEYS, tree, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300)
@given(more=st.dictionaries(KEYS, TREES, max_size=5))
def test_arbitrary_trees_of_known_keys_are_a_config_or_config_errors(
    more: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any value under any key is taken or refused in our words."""
    base = {
        "version": 1,
        "tokens": {"issuer": "i", "audience": "a"},
        "upstreams": {"products": {"endpoints": ["http://a:1"]}},
    }
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_text(json.dumps(base | more), encoding="utf-8")

    load_or_refuse(path)


def test_the_place_of_an_error_is_a_place(complain: Complain) -> None:
    """The file's name is in every line that is said."""
    assert complain("a: 1").startswith(str(Place("f")))
