"""From what an operator writes of an issuer to its records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from authmw.errors import ConfigurationError
from authmw.issuers.claims_path import ClaimsPath
from authmw.issuers.identifier import expand, fill_in, find_fault
from authmw.issuers.profiles import PROFILES
from authmw.issuers.record import ClaimsMapping, ClaimValues, Issuer, Profile
from authmw.jose.algorithms import ALGORITHMS
from authmw.jose.jws import canonical_type

# Options that name one claim, and those that name several.
CLAIM_OPTIONS: Final = (
    *("user_name", "user_domain_id", "user_domain_name"),
    *("project_id", "project_name", "project_domain_id", "project_domain_name"),
    *("domain_id", "domain_name", "system_scope", "groups", "is_admin_project"),
)
CLAIMS_OPTIONS: Final = ("user_id", "roles", "oauth_scope")
# Written instead of a claim: none says so. A claim of that name is written as /none.
_NO_CLAIM: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerOptions:
    """An issuer as its section says it; None or empty: the profile decides.

    Attributes:
        name: of the section, after the colon.
        issuer: an issuer identifier, perhaps with variables: https://login.example/{tenant}.
        issuer_variables: the permitted values of each variable.
        audience: `{tenant}` and the like in it are filled in.
        claims: claims paths by meaning (`CLAIM_OPTIONS`, `CLAIMS_OPTIONS`), or "none".
        required_values: claims that must have one of certain values, by claims path.
        expires_at: a claim with the time of expiry, if not `exp`; of opaque tokens.
        types: values of `typ`; "none" means that it may be absent.
        trust_domain: of a SPIFFE issuer without `issuer`.
        has_admin_project: whether the service tells one project from all others by its name
            (`admin_project_name`).
    """

    name: str
    profile: str = "rfc9068"
    issuer: str | None = None
    issuer_variables: Mapping[str, Sequence[str]] = field(default_factory=dict)
    audience: Sequence[str] = ()
    algorithms: Sequence[str] = ()
    types: Sequence[str] = ()
    claims: Mapping[str, Sequence[str]] = field(default_factory=dict)
    required_values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    expires_at: str | None = None
    trust_domain: str | None = None
    skew_seconds: int = 5
    has_admin_project: bool = False


def make_issuers(options: IssuerOptions) -> tuple[Issuer, ...]:
    """Make the records of one section: one, or one for each value of its variables.

    Raises:
        ConfigurationError: an option is wrong, or missing.
    """
    profile = PROFILES.get(options.profile)
    if profile is None:
        # Keystone's own tokens have no section.
        names = ", ".join(name for name in PROFILES if name != "keystone")
        raise _wrong(options, "profile", options.profile, f"write one of {names}.")
    profile = _adapt(profile, options)
    pinned = _parse_values(options)
    named = {path.names[0] for path, _ in pinned}
    if profile.pins and profile.pins.isdisjoint(named):
        raise _wrong(
            options,
            "required_values",
            dict(options.required_values) or None,
            f"name the value of at least one of {', '.join(sorted(profile.pins))}: this issuer "
            "makes tokens for this audience for anybody.",
        )
    if options.issuer is None:
        return (_make_without_identifier(options, profile, pinned),)
    if options.trust_domain is not None:
        raise _wrong(
            options, "trust_domain", options.trust_domain, "write this or issuer, not both."
        )
    try:
        expanded = expand(options.issuer, options.issuer_variables)
    except ValueError as error:
        raise _wrong(options, "issuer", options.issuer, f"{error}.") from error
    return tuple(
        _make_issuer(options, profile, pinned, identifier, values)
        for identifier, values in expanded
    )


def _make_without_identifier(
    options: IssuerOptions, profile: Profile, pinned: ClaimValues
) -> Issuer:
    if profile.needs_identifier:
        raise _wrong(options, "issuer", None, "write what 'iss' says in this issuer's tokens.")
    if profile.subject_prefix is not None and options.trust_domain is None:
        raise _wrong(options, "trust_domain", None, "write it, or issuer: tokens are known by one.")
    return Issuer(
        name=options.name,
        identifier=None,
        profile=profile,
        audiences=_verify_audiences(options, profile, frozenset(options.audience), None),
        pinned=pinned,
        trust_domain=options.trust_domain,
        skew_seconds=options.skew_seconds,
    )


def _make_issuer(
    options: IssuerOptions,
    profile: Profile,
    pinned: ClaimValues,
    identifier: str,
    values: Mapping[str, str],
) -> Issuer:
    fault = find_fault(identifier)
    if fault is not None:
        raise _wrong(options, "issuer", identifier, f"{fault}.")
    before, well_known, _ = identifier.partition("/.well-known/")
    if well_known:
        raise _wrong(
            options,
            "issuer",
            identifier,
            f"write {before}, or what `iss` says in its tokens: this is where its discovery "
            "document is.",
        )
    try:
        audiences = frozenset(fill_in(one, values) for one in options.audience)
    except ValueError as error:
        raise _wrong(options, "audience", list(options.audience), f"{error}.") from error
    if not audiences and profile.derive_audience is not None:
        derived = profile.derive_audience(identifier)
        audiences = frozenset() if derived is None else frozenset({derived})
    return Issuer(
        name=options.name,
        identifier=identifier,
        profile=profile,
        audiences=_verify_audiences(options, profile, audiences, identifier),
        pinned=pinned,
        skew_seconds=options.skew_seconds,
    )


def _verify_audiences(
    options: IssuerOptions, profile: Profile, audiences: frozenset[str], identifier: str | None
) -> frozenset[str]:
    if "" in audiences or (profile.needs_audience and not audiences):
        raise _wrong(
            options,
            "audience",
            None,
            "write what 'aud' says in tokens that are for this service; there is no default, "
            "since a service that accepts tokens for others can be used against them.",
        )
    complaint = profile.complain and profile.complain(identifier, audiences)
    if complaint:
        shown = {"issuer": identifier, "audience": sorted(audiences)}
        raise _wrong(options, "issuer", shown, f"{complaint}.")
    return audiences


def _adapt(profile: Profile, options: IssuerOptions) -> Profile:
    """Return the profile with what the operator changed."""
    changes: dict[str, Any] = {}
    if options.algorithms:
        unknown = sorted(set(options.algorithms) - set(ALGORITHMS))
        if unknown or profile.is_introspected:
            raise _wrong(
                options,
                "algorithms",
                list(options.algorithms),
                f"there are {', '.join(ALGORITHMS)}; for opaque tokens leave it out.",
            )
        changes["algorithms"] = frozenset(options.algorithms)
    if options.types:
        changes["types"] = frozenset(
            None if name == "none" else canonical_type(name) for name in options.types
        )
    if options.expires_at is not None:
        changes["expires_at"] = _parse_path(options, "expires_at", options.expires_at)
    mapping = _adapt_mapping(profile, options) if options.claims else profile.mapping
    if options.has_admin_project and mapping is not None and mapping.assumed_admin_project is None:
        # Keystone's rule is for deployments without one.
        mapping = replace(mapping, assumed_admin_project=False)
    if mapping is not profile.mapping:
        changes["mapping"] = mapping
    return replace(profile, **changes) if changes else profile


def _parse_path(options: IssuerOptions, option: str, text: str) -> ClaimsPath:
    try:
        return ClaimsPath.parse(text)
    except ValueError as error:
        raise _wrong(options, option, text, f"{error}.") from error


def _adapt_mapping(profile: Profile, options: IssuerOptions) -> ClaimsMapping:
    if profile.mapping is None:
        raise _wrong(
            options,
            next(iter(options.claims)),
            dict(options.claims),
            "leave it out: names and roles of this issuer's tokens come from jws_authority.",
        )
    changes: dict[str, Any] = {}
    for option, texts in options.claims.items():
        if list(texts) == [_NO_CLAIM]:
            if option == "user_id":
                raise _wrong(options, option, _NO_CLAIM, "write a claim: a token has a user.")
            changes[option] = () if option in CLAIMS_OPTIONS else None
            continue
        try:
            paths = tuple(ClaimsPath.parse(text) for text in texts)
        except ValueError as error:
            raise _wrong(options, option, list(texts), f"{error}.") from error
        if option in CLAIMS_OPTIONS and paths:
            changes[option] = paths
        elif option in CLAIM_OPTIONS and len(paths) == 1:
            changes[option] = paths[0]
        else:
            raise _wrong(options, option, list(texts), "write one claim.")
    return replace(profile.mapping, **changes)


def _parse_values(options: IssuerOptions) -> ClaimValues:
    pairs = []
    for text, values in options.required_values.items():
        try:
            path = ClaimsPath.parse(text)
        except ValueError as error:
            raise _wrong(options, "required_values", text, f"{error}.") from error
        if not values or not all(values):
            raise _wrong(options, "required_values", text, "write the values it may have.")
        pairs.append((path, frozenset(values)))
    return tuple(pairs)


def _wrong(options: IssuerOptions, option: str, value: object, fix: str) -> ConfigurationError:
    return ConfigurationError(option, value, fix, section=f"authmw_issuer:{options.name}")
