"""``gateway users``."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import argon2
import pytest

from tests.kit.commands import Finished, invoke, on_terminal
from tests.kit.gateway import write_configuration

CHANGES = ("passwd", "disable", "enable", "remove", "set")


def users(path: str, *arguments: str, stdin: bytes = b"") -> Finished:
    """Run ``gateway users`` on the configuration at *path*."""
    return invoke("users", *arguments, "--config", path, stdin=stdin)


def listed(path: str) -> dict[str, dict[str, Any]]:
    """Return the users as ``list --json`` tells them, by their names."""
    result = users(path, "list", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    return {user["username"]: user for user in json.loads(result.stdout)}


def change(path: str, verb: str, name: str) -> Finished:
    """Do *verb* to a user, with whatever else it needs."""
    more = {"remove": ("--yes",), "set": ("--role", "admin")}.get(verb, ())
    return users(path, verb, name, *more, stdin=b"another secret\n")


@pytest.fixture
def zoe(path: str, password_hash: str) -> str:
    """Zoe is in the store; her id."""
    result = users(
        *(path, "add", "Zoe", "--password-hash", password_hash, "--role", "admin"),
        *("--role", "customer", "--scope", "products:read", "--attribute", "plan=pro"),
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.strip()


def test_a_user_is_added_with_a_password_from_standard_input(path: str) -> None:
    """One line; what is printed is the id and nothing else."""
    result = users(path, "add", "Zoe", stdin=b"correct horse\nrest\n")
    found = listed(path)["Zoe"]

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{found['id']}\n"
    assert (found["roles"], found["scopes"], found["attributes"]) == ([], [], {})
    assert found["state"] == "active"


def test_what_is_given_is_kept(path: str, zoe: str) -> None:
    """Roles and scopes in their order, attributes as text."""
    found = listed(path)["Zoe"]

    assert found["id"] == zoe
    assert found["roles"] == ["admin", "customer"]
    assert found["scopes"] == ["products:read"]
    assert found["attributes"] == {"plan": "pro"}


def test_attributes_can_be_json(path: str, password_hash: str) -> None:
    """``:=`` stands before JSON; a key that is null is not there; the last one counts."""
    given = ("n:=1", "list:=[true]", "gone:=null", "eq=a=b", "twice=1", "twice=2", "e=")
    options = [part for text in given for part in ("--attribute", text)]
    assert users(path, "add", "zoe", "--password-hash", password_hash, *options).returncode == 0

    wanted = {"n": 1, "list": [True], "eq": "a=b", "twice": "2", "e": ""}
    assert listed(path)["zoe"]["attributes"] == wanted


def test_a_hash_is_read_from_standard_input(path: str, password_hash: str) -> None:
    """``-`` keeps it out of the list of processes."""
    stdin = f" {password_hash} \n".encode()
    assert users(path, "add", "zoe", "--password-hash", "-", stdin=stdin).returncode == 0
    assert "zoe" in listed(path)


@pytest.mark.parametrize("name", ["Zoe", " zoe", "ZOE"])
@pytest.mark.usefixtures("zoe")
def test_a_name_that_is_taken_exits_with_1(path: str, name: str) -> None:
    """In whatever spelling, and before a password is read."""
    result = users(path, "add", name)

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"there is a user '{name}' already\n"


@pytest.mark.parametrize("name", ["", " ", "a\tb", "a" * 2000])
def test_a_name_that_can_be_none_exits_with_1(path: str, name: str, password_hash: str) -> None:
    """One line says why."""
    result = users(path, "add", name, "--password-hash", password_hash)

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("a name has ")
    assert "zoe" not in listed(path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(("--role", "a\nb"), "control character", id="role"),
        pytest.param(("--role", "a" * 2000), "longer than", id="long-role"),
        pytest.param(("--scope", "a b"), "'a b' is not one scope", id="scope"),
        pytest.param(("--attribute", "plan"), "KEY=VALUE", id="no-value"),
        pytest.param(("--attribute", "=pro"), "empty", id="no-key"),
        pytest.param(("--attribute", ":=1"), "empty", id="no-json-key"),
        pytest.param(("--attribute", "a:=pro"), "not JSON", id="no-json"),
        pytest.param(("--attribute", "a:=NaN"), "not JSON", id="nan"),
        pytest.param(("--attribute", "a:=" + "[" * 200_000), "not JSON", id="deep"),
        pytest.param(("--attribute", 'a:="\\ud800"'), "not valid Unicode", id="surrogate"),
        pytest.param(("--attribute", "a=\udcff"), "not valid Unicode", id="bytes"),
        pytest.param(("--password-hash", "hunter2"), "not a hash", id="hash"),
    ],
)
def test_what_the_file_would_refuse_is_bad_usage(
    path: str, store_file: Path, options: tuple[str, ...], said: str
) -> None:
    """Exit code 2; a thing that may be a password is not quoted, and no store is made."""
    result = users(path, "add", "zoe", *options, stdin=b"secret\n")
    words = " ".join(result.stderr.replace("│", " ").split())

    assert (result.returncode, result.stdout) == (2, "")
    assert said in words
    assert "hunter2" not in words
    assert not store_file.exists()


@pytest.mark.parametrize("stdin", [b"", b"\n", b"a\0b\n", b"\xff\n"])
def test_what_is_no_password_exits_with_2(path: str, store_file: Path, stdin: bytes) -> None:
    """As with ``hash-password``; nobody is added."""
    assert users(path, "add", "zoe", stdin=stdin).returncode == 2
    assert not store_file.exists()


def test_the_list_has_the_users_of_the_file_too(path: str, zoe: str) -> None:
    """Marked, since they are changed there; aligned columns in a pipe."""
    lines = [line.split() for line in users(path, "list").stdout.splitlines()]

    assert lines[0] == ["NAME", "ID", "ROLES", "SCOPES", "STATE", "SINCE"]
    assert lines[1] == ["Aymen", "aymen", "customer", "-", "configured", "-"]
    assert lines[2][:5] == ["Zoe", zoe, "admin,customer", "products:read", "active"]
    assert lines[2][5].endswith("Z")


def test_a_list_makes_no_store(path: str, store_file: Path) -> None:
    """Who only looks leaves nothing behind."""
    assert list(listed(path)) == ["Aymen"]
    assert not store_file.parent.exists()


def test_a_user_whose_name_the_file_takes_is_shadowed(
    tmp_path: Path, document: dict[str, Any], password_hash: str
) -> None:
    """At login the file's user is meant."""
    path = str(write_configuration(tmp_path, document | {"users": []}))
    assert users(path, "add", "AYMEN", "--password-hash", password_hash).returncode == 0
    path = str(write_configuration(tmp_path, document))

    found = json.loads(users(path, "list", "--json").stdout)
    assert [(user["username"], user["state"]) for user in found] == [
        ("Aymen", "configured"),
        ("AYMEN", "shadowed"),
    ]


def test_more_users_than_a_page_has(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list goes on to the last."""
    monkeypatch.setattr("gateway.cli.finding._PAGE", 2)
    for name in "abcde":
        assert users(path, "add", name, stdin=b"secret\n").returncode == 0

    assert list(listed(path)) == ["Aymen", *"abcde"]


@pytest.mark.usefixtures("zoe")
def test_disabled_and_enabled(path: str) -> None:
    """A name in another spelling will do; the act says when it is heard."""
    result = users(path, "disable", "ZOE")

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("'Zoe' is disabled")
    assert "within a second" in result.stdout
    assert listed(path)["Zoe"]["state"] == "disabled"
    assert users(path, "enable", "zoe").stdout == "'Zoe' can log in\n"
    assert listed(path)["Zoe"]["state"] == "active"


def test_another_password(path: str, zoe: str, store_file: Path) -> None:
    """The id stays; the hash is of what was read."""
    result = users(path, "passwd", "zoe", stdin=b"correct horse\n")
    assert (result.returncode, result.stderr) == (0, "")
    with sqlite3.connect(store_file) as database:
        (found,) = database.execute("SELECT password_hash FROM users WHERE id = ?", [zoe])
    database.close()

    assert argon2.PasswordHasher().verify(found[0], "correct horse")


@pytest.mark.parametrize("stdin", [b"", b"\n", b"\xff\n"])
@pytest.mark.usefixtures("zoe")
def test_what_is_no_password_changes_nothing(path: str, stdin: bytes) -> None:
    """Exit code 2."""
    before = listed(path)

    assert users(path, "passwd", "zoe", stdin=stdin).returncode == 2
    assert listed(path) == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--role", "a", "--role", "b", "--role", "a"), {"roles": ["a", "b"]}),
        (("--role", ""), {"roles": []}),
        (("--scope", "x"), {"scopes": ["x"]}),
        (
            ("--attribute", "email=z@example.com"),
            {"attributes": {"plan": "pro", "email": "z@example.com"}},
        ),
        (("--attribute", "plan:=null"), {"attributes": {}}),
        (
            ("--attribute", "plan=free", "--scope", ""),
            {"attributes": {"plan": "free"}, "scopes": []},
        ),
    ],
)
@pytest.mark.usefixtures("zoe")
def test_what_is_set_changes_and_the_rest_stays(
    path: str, options: tuple[str, ...], expected: dict[str, Any]
) -> None:
    """Roles and scopes as a whole, attributes one by one."""
    before = listed(path)["Zoe"]
    result = users(path, "set", "zoe", *options)
    after = listed(path)["Zoe"]

    assert (result.returncode, result.stderr) == (0, "")
    assert after == before | expected | {"updated_at": after["updated_at"]}


@pytest.mark.parametrize("options", [(), ("--scope", "a b"), ("--attribute", "x")])
@pytest.mark.usefixtures("zoe")
def test_setting_nothing_or_nonsense_is_bad_usage(path: str, options: tuple[str, ...]) -> None:
    """Exit code 2."""
    assert users(path, "set", "zoe", *options).returncode == 2


@pytest.mark.usefixtures("zoe")
def test_removing_needs_a_yes_where_nobody_can_be_asked(path: str) -> None:
    """Exit code 2, and the user stays; with ``--yes`` they go."""
    result = users(path, "remove", "zoe", stdin=b"y\n")
    assert result.returncode == 2
    assert "--yes" in result.stderr
    assert "Zoe" in listed(path)

    result = users(path, "remove", "zoe", "--yes")
    assert result.returncode == 0
    assert "Zoe" not in listed(path)


def test_a_name_that_was_given_away_is_another_user(path: str, zoe: str) -> None:
    """The id of a removed user is never used again."""
    assert users(path, "remove", "zoe", "--yes").returncode == 0
    assert users(path, "add", "zoe", stdin=b"secret\n").stdout.strip() != zoe


@pytest.mark.parametrize("verb", CHANGES)
@pytest.mark.usefixtures("zoe")
def test_a_name_that_nobody_has_exits_with_1(path: str, verb: str) -> None:
    """A name that is like it is offered."""
    result = change(path, verb, "zoey")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "there is no user 'zoey'\n  did you mean 'Zoe'?\n"


@pytest.mark.parametrize("verb", CHANGES)
def test_without_a_store_nobody_is_found_and_none_is_made(
    path: str, store_file: Path, verb: str
) -> None:
    """A command in the wrong directory makes no database there."""
    result = change(path, verb, "amen")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "there is no user 'amen'\n  did you mean 'Aymen'?\n"
    assert not store_file.exists()


@pytest.mark.parametrize("verb", ["add", *CHANGES])
@pytest.mark.parametrize("has_store", [False, True])
def test_a_user_of_the_file_is_changed_there(
    path: str, verb: str, request: pytest.FixtureRequest, *, has_store: bool
) -> None:
    """Exit code 1, with the place and the cure."""
    if has_store:
        request.getfixturevalue("zoe")
    result = change(path, verb, " AYMEN")

    assert (result.returncode, result.stdout) == (1, "")
    first, cure = result.stderr.splitlines()
    assert first.startswith(f"{path}:")
    assert first.endswith(": 'Aymen' is a user of the configuration file")
    assert cure == "  change it there"


@pytest.mark.parametrize("name", ["aymen", "zoe", "nobody", "\udcff"])
def test_any_name_can_be_unlocked(path: str, name: str) -> None:
    """Whoever has it, if anybody."""
    result = users(path, "unlock", name)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("there are no failed logins of ")


@pytest.mark.parametrize("verb", ["list", "unlock", *CHANGES])
def test_a_bad_configuration_exits_with_2(tmp_path: Path, verb: str) -> None:
    """Whatever is asked."""
    path = str(tmp_path / "none.yaml")
    result = users(path, "list") if verb == "list" else change(path, verb, "zoe")

    assert (result.returncode, result.stdout) == (2, "")
    assert "--config" in result.stderr


def test_a_store_that_others_may_read_exits_with_2(path: str, store_file: Path, zoe: str) -> None:
    """With the place of the key in the file, and the cure."""
    assert zoe
    store_file.chmod(0o644)
    for verb in ("disable", "unlock"):
        result = change(path, verb, "zoe")
        assert result.returncode == 2
        assert ": store: others than its owner may use" in result.stderr


def test_a_database_that_is_not_there_exits_with_2(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    """Its password is not told."""
    document["store"] = "postgresql://gateway:hunter2@127.0.0.1:1/gateway"
    path = str(write_configuration(tmp_path, document))
    for verb in ("disable", "unlock"):
        result = change(path, verb, "zoe")
        assert result.returncode == 2
        assert ": store: the store cannot be reached: " in result.stderr
        assert "hunter2" not in result.stderr


def test_users_of_a_postgresql_store(
    tmp_path: Path, document: dict[str, Any], postgres_url: str
) -> None:
    """The same commands, the same answers."""
    path = str(write_configuration(tmp_path, document | {"store": postgres_url}))
    assert list(listed(path)) == ["Aymen"]
    added = users(path, "add", "Zoe", "--role", "admin", stdin=b"secret\n")

    assert (added.returncode, added.stderr) == (0, "")
    assert listed(path)["Zoe"]["id"] == added.stdout.strip()
    assert users(path, "add", "zoe", stdin=b"secret\n").returncode == 1
    assert users(path, "disable", "zoe").returncode == 0
    assert listed(path)["Zoe"]["state"] == "disabled"


@pytest.mark.usefixtures("zoe")
def test_a_terminal_is_asked_before_a_user_is_removed(path: str) -> None:
    """No is exit code 1 and changes nothing, yes removes."""
    question = b"for good? [y/N]: "
    arguments = ("users", "remove", "zoe", "--config", path)

    status, _ = on_terminal(*arguments, typed=[(question, b"n\n")])
    assert (status, "Zoe" in listed(path)) == (1, True)
    status, _ = on_terminal(*arguments, typed=[(question, b"y\n")])
    assert (status, "Zoe" in listed(path)) == (0, False)


def test_a_terminal_is_asked_twice_for_a_password(path: str) -> None:
    """What is typed is not shown; two that differ are refused with exit code 2."""
    arguments = ("users", "add", "zoe", "--config", path)

    status, shown = on_terminal(
        *arguments, typed=[(b"Password: ", b"hunter2\n"), (b"Again: ", b"hunter3\n")]
    )
    assert (status, "zoe" in listed(path)) == (2, False)
    assert b"hunter" not in shown
    assert b"differ" in shown
    status, _ = on_terminal(
        *arguments, typed=[(b"Password: ", b"hunter2\n"), (b"Again: ", b"hunter2\n")]
    )
    assert (status, "zoe" in listed(path)) == (0, True)


def test_ctrl_c_ends_the_wait_for_a_password(path: str, store_file: Path) -> None:
    """No event loop is in its way."""
    status, _ = on_terminal(
        "users", "add", "zoe", "--config", path, typed=[(b"Password: ", b"\x03")]
    )

    assert status != 0
    assert not store_file.exists()
