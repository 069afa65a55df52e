"""Other issuers of the file: no two may be one, and none may be ourselves."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.config.load import Config
from gateway.errors import ConfigError
from gateway.policy.signature import VerificationKey
from gateway.policy.tokens import Issuer

NO_OTHERS: Final[Mapping[str, tuple[VerificationKey, ...]]] = MappingProxyType({})


def check_issuers(config: Config) -> list[ConfigError]:
    """Return what is wrong with the issuers together: names that are the same."""
    faults: list[ConfigError] = []
    first_places = {config.settings.tokens.issuer: config.place("tokens", "issuer")}
    for index, settings in enumerate(config.settings.issuers):
        place = config.place("issuers", index, "issuer")
        first = first_places.setdefault(settings.issuer, place)
        if first is not place:
            faults.append(
                ConfigError(
                    place,
                    f"the issuer on line {first.line} has this name too",
                    "a token has one issuer; remove one of them",
                )
            )
    return faults


def other_issuers(config: Config, keys: Mapping[str, tuple[VerificationKey, ...]]) -> list[Issuer]:
    """Return the other issuers with their *keys* by name; where there are none, with none."""
    return [
        Issuer(
            name=settings.issuer,
            audiences=frozenset(settings.audience),
            keys=keys.get(settings.issuer, ()),
            own=False,
            leeway_s=config.settings.tokens.leeway,
            algorithms=frozenset(settings.algorithms),
        )
        for settings in config.settings.issuers
    ]
