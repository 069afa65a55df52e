"""Where credentials sit and which identity headers there are, in all of the file together."""

from dataclasses import dataclass, field

from gateway.config.load import Config
from gateway.config.nodes import Path
from gateway.config.route_settings import ClaimHeaders, ClaimHeaderSettings
from gateway.config.token_settings import CredentialSettings
from gateway.errors import ConfigError
from gateway.http1.names import NameTable, fold
from gateway.policy.checked import CredentialKind
from gateway.policy.claim_headers import ClaimHeader, HeaderFormat, HeaderPlan
from gateway.policy.model import CredentialPlace, PlaceKind


@dataclass(slots=True)
class Placement:
    """All field names that the gateway takes for itself, and what a route inherits of them."""

    places: tuple[CredentialPlace, ...]  # of the file
    plan: HeaderPlan  # of the file; routes that add nothing share it
    reserved: dict[bytes, str] = field(default_factory=dict)  # folded name -> first spelling
    faults: list[ConfigError] = field(default_factory=list)

    @property
    def credential_headers(self) -> frozenset[bytes]:
        """The fields in which some credential may sit."""
        kinds = (PlaceKind.SCHEME, PlaceKind.RAW)
        return frozenset(place.name for place in self.places if place.kind in kinds)

    def names(self, *, keep_odd_names: bool) -> NameTable:
        """Compile the table of all field names."""
        return NameTable(
            reserved=self.reserved,
            credentials=self.credential_headers,
            cookies=any(place.kind is PlaceKind.COOKIE for place in self.places),
            keep_odd_names=keep_odd_names,
        )


def find_placement(config: Config) -> Placement:
    """Compile what the file says for all routes, and check every name that any route gives."""
    settings = config.settings
    placement = Placement(tuple(map(_place, settings.credentials)), plan_of(settings.claim_headers))
    _check_places(config, placement)
    _reserve(config, placement, ("claim_headers",), settings.claim_headers)
    for index, route in enumerate(settings.routes):
        _reserve(config, placement, ("routes", index, "claim_headers"), route.claim_headers)
    return placement


def narrow_places(config: Config, placement: Placement, index: int) -> tuple[CredentialPlace, ...]:
    """Return the places of a route; each must be one of the file's."""
    credentials = config.settings.routes[index].credentials
    if credentials is None:
        return placement.places
    places = tuple(map(_place, credentials))
    for position, place in enumerate(places):
        at = config.place("routes", index, "credentials", position)
        if place not in placement.places:
            fault = f"the file's credentials do not have the {place}"
            placement.faults.append(ConfigError(at, fault, "add it to the top-level 'credentials'"))
        elif place in places[:position]:
            placement.faults.append(ConfigError(at, f"the {place} stands here twice", "remove one"))
    return places


def extend_plan(placement: Placement, settings: ClaimHeaders, base: ClaimHeaders) -> HeaderPlan:
    """Return a route's identity headers: the file's, with the route's in their place or after."""
    if not settings:
        return placement.plan
    own = {fold(name.encode("ascii")) for name in settings}
    kept = {name: what for name, what in base.items() if fold(name.encode("ascii")) not in own}
    return plan_of(kept | settings)


def plan_of(settings: ClaimHeaders) -> HeaderPlan:
    """Compile identity headers, in the order of the file."""
    return HeaderPlan(tuple(_header(name, what) for name, what in settings.items()))


def _header(name: str, what: ClaimHeaderSettings) -> ClaimHeader:
    return ClaimHeader(name, what.claim, what.default, HeaderFormat(what.format))


def _place(settings: CredentialSettings) -> CredentialPlace:
    holds = CredentialKind(settings.kind)
    if settings.cookie is not None:
        return CredentialPlace(PlaceKind.COOKIE, settings.cookie.encode("ascii"), holds=holds)
    if settings.query is not None:
        return CredentialPlace(PlaceKind.QUERY, settings.query.encode("ascii"), holds=holds)
    name = (settings.header or "").lower().encode("ascii")
    if settings.scheme is None:
        return CredentialPlace(PlaceKind.RAW, name, holds=holds)
    scheme = settings.scheme.lower().encode("ascii")
    if scheme == b"basic":
        holds = CredentialKind.BASIC
    return CredentialPlace(PlaceKind.SCHEME, name, scheme, holds)


def _check_places(config: Config, placement: Placement) -> None:
    """A place stands once; a raw header takes every scheme, so that none can stand beside it."""
    for index, place in enumerate(placement.places):
        before = placement.places[:index]
        at = config.place("credentials", index)
        raw_beside_scheme = {PlaceKind.RAW, PlaceKind.SCHEME}
        if any(place.where == other.where for other in before):
            fault = f"the {place.where} stands here twice"
            placement.faults.append(ConfigError(at, fault, "remove one"))
        elif any(
            o.name == place.name and {o.kind, place.kind} == raw_beside_scheme for o in before
        ):
            name = place.name.decode("ascii")
            placement.faults.append(
                ConfigError(at, f"the header {name} is both raw and with a scheme", "remove one")
            )


def _reserve(config: Config, placement: Placement, path: Path, settings: ClaimHeaders) -> None:
    for name in settings:
        at = config.document.place(*path, name, key=True)
        folded = fold(name.encode("ascii"))
        first = placement.reserved.setdefault(folded, name)
        if first != name:
            placement.faults.append(
                ConfigError(at, f"'{name}' and '{first}' are one header", f"write '{first}'")
            )
        if folded in placement.credential_headers:
            cure = "choose another name, for example X-User-Id"
            placement.faults.append(ConfigError(at, f"a credential may sit in '{name}'", cure))
