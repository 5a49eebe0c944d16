"""What a delegation gives: trusts, application credentials, access tokens of OAuth1.

A delegation gives no role that its maker does not have at this time.
"""

from __future__ import annotations

from itertools import pairwise

from authmw.bundle.evaluate.question import Question, deny
from authmw.bundle.evaluate.roles import add_implied, project_roles, without_domain_specific
from authmw.bundle.facts import pack_id, unpack_id
from authmw.bundle.records import ApplicationCredential, Id, Scope, Trust

# `[trust] max_redelegation_count`, unless the settings say another.
_MAX_REDELEGATION_COUNT = 3
# Longer chains than Keystone can have been told to make are not followed.
_LONGEST_CHAIN = 64


def find_trust(question: Question, trust_id: Id) -> tuple[Trust, ...]:
    """Return a trust with those that it was redelegated from, the first one last.

    Raises:
        InvalidToken: the token is not its trustee's, or the trust or one that it came from has
            expired, was used up, or does not allow it, or a user in between is disabled.
    """
    chain = [_usable_trust(question, trust_id)]
    while (parent_id := chain[-1].redelegated_trust_id) is not None:
        if len(chain) == _LONGEST_CHAIN:
            deny(f"trust {unpack_id(trust_id)} was redelegated too often")
        chain.append(_usable_trust(question, parent_id))
    for trust, parent in pairwise(chain):
        _verify_redelegation(question, trust, parent)
    trust = chain[0]
    name = f"trust {unpack_id(trust_id)}"
    if pack_id(question.claims.user_id) != trust.trustee_user_id:
        deny(f"the user is not the trustee of {name}")
    if trust.project_id is None or question.claims.project_id != unpack_id(trust.project_id):
        deny(f"{name} is for another project")
    return tuple(chain)


def _usable_trust(question: Question, trust_id: Id) -> Trust:
    trust = question.facts.trust(trust_id)
    if trust is None:
        question.deny_absent("trust", trust_id)
    if question.is_expired(trust.expires_at):
        deny(f"trust {unpack_id(trust_id)} has expired")
    if trust.remaining_uses is not None and trust.remaining_uses <= 0:
        deny(f"trust {unpack_id(trust_id)} is used up")
    return trust


def _verify_redelegation(question: Question, trust: Trust, parent: Trust) -> None:
    """Refuse the token unless `trust` can have been made from `parent`."""
    name = f"trust {unpack_id(trust.id)}"
    depth = parent.redelegation_count
    limit = question.facts.settings.get("max_redelegation_count", _MAX_REDELEGATION_COUNT)
    if depth is None or not 0 < depth <= limit:
        deny(f"{name} was redelegated too often")
    if trust.remaining_uses is not None:
        deny(f"{name} is redelegated with a limit of uses")
    if trust.expires_at is not None and (
        parent.expires_at is None or parent.expires_at < trust.expires_at
    ):
        deny(f"{name} lasts longer than the trust that it was made from")
    if not trust.role_ids <= parent.role_ids:
        deny(f"{name} has roles that the trust that it was made from has not")
    if trust.impersonation and not parent.impersonation:
        deny(f"{name} impersonates, and the trust that it was made from does not")
    agent = question.user(parent.trustee_user_id)
    question.enabled_domain(agent.domain_id)
    question.verify_enabled(agent)


def trust_roles(question: Question, chain: tuple[Trust, ...], scope: Scope) -> set[Id]:
    """Return the roles of a trust; refuses the token if a trustor lost one of them.

    Both the trustor and the one who made the first trust must have them all.
    """
    trust = chain[0]
    delegated = add_implied(question.facts, trust.role_ids)
    for trustor_id in {chain[-1].trustor_user_id, trust.trustor_user_id}:
        # The groups of one who is not there, or is kept in a directory, are not known.
        actors = question.actors(question.user(trustor_id))
        if not delegated <= project_roles(question, scope, actors):
            deny(f"user {unpack_id(trustor_id)} has lost a role of trust {unpack_id(trust.id)}")
    return without_domain_specific(question, delegated)


def find_application_credential(question: Question, credential_id: Id) -> ApplicationCredential:
    """Return the application credential that a token was made with; refuses another user's."""
    credential = question.facts.application_credential(credential_id)
    if credential is None:
        question.deny_absent("application credential", credential_id)
    name = f"application credential {unpack_id(credential_id)}"
    if question.is_expired(credential.expires_at):
        deny(f"{name} has expired")
    if credential.user_id != pack_id(question.claims.user_id):
        deny(f"{name} is another user's")
    if credential.project_id is None or question.claims.project_id != unpack_id(
        credential.project_id
    ):
        deny(f"{name} is for another project")
    return credential


def access_token_roles(question: Question, token_id: Id, held: set[Id]) -> tuple[Id, set[Id]]:
    """Return the consumer of an access token, and those of its roles that its user still has.

    Args:
        held: the roles of the user on the project of the token.
    """
    token = question.facts.access_token(token_id)
    if token is None:
        question.deny_absent("access token", token_id)
    name = f"access token {unpack_id(token_id)}"
    if token.authorizing_user_id != pack_id(question.claims.user_id):
        deny(f"{name} is another user's")
    if question.claims.project_id != unpack_id(token.project_id):
        deny(f"{name} is for another project")
    return token.consumer_id, add_implied(question.facts, token.role_ids) & held


def verify_identity_provider(question: Question, provider_id: str) -> None:
    """Leave the token of a federated user undecided if its identity provider is not there."""
    if not question.facts.has_identity_provider(pack_id(provider_id)):
        question.deny_absent("identity provider", pack_id(provider_id))
