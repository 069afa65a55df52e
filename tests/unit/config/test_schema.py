"""The JSON Schema that is published, and the example that it is for."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from gateway.config.compile import compile_snapshot, find_warnings
from gateway.config.load import load_config
from gateway.config.schema import json_schema
from tests.unit.config.conftest import Complain, Read

FOLDER: Final = Path(__file__).parents[3] / "config"
EXAMPLE: Final = FOLDER / "routes.yaml"
SCHEMA: Final = json_schema()
TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,),
    "number": (int, float), "boolean": (bool,),
}  # fmt: skip


def is_valid(schema: dict[str, Any], value: Any) -> bool:
    """Whether an editor would take *value*: the keywords of JSON Schema that the schema uses."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    return (
        _is_of_type(schema, value)
        and ("enum" not in schema or value in schema["enum"])
        and ("const" not in schema or value == schema["const"])
        and (isinstance(value, str | list | dict) or value >= schema.get("minimum", value))
        and ("anyOf" not in schema or any(is_valid(part, value) for part in schema["anyOf"]))
        and (
            "oneOf" not in schema or [is_valid(p, value) for p in schema["oneOf"]].count(True) == 1
        )
        and (not isinstance(value, str) or _is_valid_text(schema, value))
        and (not isinstance(value, list) or _is_valid_list(schema, value))
        and (not isinstance(value, dict) or _is_valid_mapping(schema, value))
    )


def _is_of_type(schema: dict[str, Any], value: Any) -> bool:
    wanted = schema.get("type", [])
    kinds = tuple(
        t for name in ([wanted] if isinstance(wanted, str) else wanted) for t in TYPES[name]
    )
    return not kinds or (
        isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)
    )


def _is_valid_text(schema: dict[str, Any], value: str) -> bool:
    return len(value) >= schema.get("minLength", 0) and bool(
        re.search(schema.get("pattern", ""), value)
    )


def _is_valid_list(schema: dict[str, Any], value: list[Any]) -> bool:
    return len(value) >= schema.get("minItems", 0) and all(
        is_valid(schema.get("items", {}), item) for item in value
    )


def _is_valid_mapping(schema: dict[str, Any], value: dict[str, Any]) -> bool:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    needed = [
        name
        for key, names in schema.get("dependentRequired", {}).items()
        if key in value
        for name in names
    ]
    return all(name in value for name in [*schema.get("required", []), *needed]) and all(
        is_valid(known[key], member)
        if key in known
        else others is True or (others is not False and is_valid(others, member))
        for key, member in value.items()
    )


def test_the_published_schema_is_current() -> None:
    """``gateway schema > config/routes.schema.json`` was run after the last change."""
    assert json.loads((FOLDER / "routes.schema.json").read_text(encoding="utf-8")) == SCHEMA


def test_the_example_is_valid_and_without_warnings() -> None:
    """The example is what ``make demo`` runs; it loads, compiles and gives no warning."""
    config = load_config(EXAMPLE, {})

    assert find_warnings(config, compile_snapshot(config, ())) == []


def test_an_editor_takes_the_example() -> None:
    """The first line names the schema, and the schema takes the file as it is written."""
    text = EXAMPLE.read_text(encoding="utf-8")

    assert text.splitlines()[0] == "# yaml-language-server: $schema=routes.schema.json"
    assert is_valid(SCHEMA, yaml.safe_load(text))


CHANGES = [
    ("routes", 0, "upstreams", "products"), ("routes", 0, "path", 5), ("routes", 0, "auth", "nune"),
    ("routes", 0, "methods", ["NO"]), ("routes", 0, "methods", []), ("limits", "head", "64"),
    ("limits", "fields", 0), ("limits", "fields", True), ("limits", "head_timeout", 10),
    ("tokens", "secrets", "x"), ("tokens", "issuer", ""), ("tokens", "audience", 5),
    ("credentials", 0, "cookie", "c"), ("credentials", 1, {"scheme": "Bearer", "cookie": "c"}),
    ("claim_headers", "X-User-Plan", "zzz", 1), ("version", 2), ("listen", 8080),
    ("upstreams", "products", "endpoints", ["127.0.0.1:9000"]), ("trusted_proxies", None),
    ("admin", "listen", 8081), ("admin", "tokens", "x"), ("workers", 0), ("workers", "many"),
    ("store", "var/gateway.db"), ("store", "sqlite:///a?b"), ("runtime_dir", ""),
    ("tokens", "session_lifetime", 90), ("limits", "store_silence", "1"),
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_an_editor_refuses_a_slip(change: tuple[Any, ...]) -> None:
    """A typo, a missing unit, a wrong type: the editor underlines it."""
    value = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    at = value
    for step in change[:-2]:
        at = at[step]
    at[change[-2]] = change[-1]

    assert not is_valid(SCHEMA, value)


def described(schema: dict[str, Any]) -> list[str]:
    """Return the keys of a section that say nothing about themselves."""
    return [key for key, part in schema["properties"].items() if not part.get("description")]


def test_every_key_is_described() -> None:
    """The schema is the source of the configuration's reference."""
    assert [
        described(section) for section in [SCHEMA, *SCHEMA["$defs"].values()] if described(section)
    ] == []


def test_null_and_generated_titles_are_left_out() -> None:
    """No key takes null; a title that repeats the key says nothing."""
    text = json.dumps(SCHEMA)

    assert '"null"' not in text
    assert text.count('"title"') == 1


@pytest.mark.parametrize("version", ["2", "true", "1.0", "'1'"])
def test_there_is_one_version(version: str, complain: Complain) -> None:
    """True is 1 in Python, but not here."""
    said = complain(f"version: {version}\ntokens: {{issuer: i, audience: a}}")

    assert said.endswith(" is not a version of this format -> write 1")


STORE_FAULTS = [
    pytest.param(
        "store: mysql://u:hunter2@h/d",
        "f:5: store: the store is neither SQLite nor PostgreSQL -> write sqlite:///var/gateway.db "
        "or postgresql://user:password@host/database",
        id="scheme",
    ),
    pytest.param(
        "store: '${URL}'",
        "f:5: store: a SQLite store needs the path of a file and no parameters -> write "
        "sqlite:///var/gateway.db, or four slashes before an absolute path",
        id="memory",
    ),
    pytest.param(
        "store_key: hunter2",
        "f:5: store_key: the store key has 7 bytes; it needs 32 or more -> make one: openssl rand "
        "-hex 32",
        id="key",
    ),
    pytest.param(
        "runtime_dir: ''",
        "f:5: runtime_dir: the text is empty -> write something, or remove the line",
        id="directory",
    ),
    pytest.param(
        "limits: {store_silence: 60}",
        "f:5: limits.store_silence: 60 is not a duration -> write a whole number and its unit: "
        "250ms, 30s, 24m, 12h or 30d",
        id="silence",
    ),
]


@pytest.mark.parametrize(("more", "expected"), STORE_FAULTS)
def test_a_store_that_cannot_be_is_refused(
    more: str, expected: str, complain_more: Complain
) -> None:
    """Place, fault and cure, and nothing of what may be a password."""
    assert complain_more(more, {"URL": "sqlite:///:memory:"}) == expected


def test_the_store_by_default(read_more: Read) -> None:
    """DESIGN.md section 2, and issue 3: a file in var/, keys in the clear, a minute of silence."""
    settings = read_more("").settings

    assert settings.store.get_secret_value() == "sqlite:///var/gateway.db"
    assert (settings.store_key, settings.runtime_dir) == (None, "var")
    assert settings.limits.store_silence == 60
    assert read_more("store_key: '${NIL:-}'").settings.store_key is None
