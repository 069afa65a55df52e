"""Users of the file: no two may be one."""

from gateway.config.load import Config
from gateway.errors import ConfigError
from gateway.policy.users import canonical_username


def check_users(config: Config) -> list[ConfigError]:
    """Return what is wrong with the users together: names or subjects that are the same."""
    faults: list[ConfigError] = []
    names: dict[str, int] = {}
    subjects: dict[str, int] = {}
    for index, user in enumerate(config.settings.users):
        name = canonical_username(user.username)
        first = names.setdefault(name, index)
        if first != index:
            line = config.place("users", first, "username").line
            faults.append(
                ConfigError(
                    config.place("users", index, "username"),
                    f"the user on line {line} has this name too",
                    "names that differ in case or width only are one name; choose another",
                )
            )
            continue
        first = subjects.setdefault(user.id or name, index)
        if first != index:
            line = config.place("users", first).line
            faults.append(
                ConfigError(
                    config.place("users", index, "id"),
                    f"the user on line {line} has this id too",
                    "an id stands for one user (without 'id' it is the username); choose another",
                )
            )
    return faults
