"""Issuers of access tokens: one record each, one table of what providers do differently.

`record` has the `Issuer`, `profiles` the table, `configured` makes the one from the other and
from what an operator writes, `table` finds the issuer of a token. `verifier` verifies signed
tokens: each with its issuer's keys, then by `access_token`. `introspection_response` checks an
answer about an opaque token (RFC 7662), `client_authentication` says who asks. `token_body` turns
either into a v3 token body; from there on no part of authmw knows issuers. `discovery` and
`revocation_list` read what issuers publish. Nothing here does I/O or reads a clock.
"""
