"""Issuers of access tokens: one record each, one table of what providers do differently.

`record` has the `Issuer`, `profiles` the table, `configured` makes the one from the other and
from what an operator writes, `table` finds the issuer of a token. `access_token` checks verified
claims, `introspection_response` an answer of RFC 7662, and `token_body` turns either into a v3
token body; from there on no part of authmw knows issuers. `discovery` and `revocation_list` read
what issuers publish. Nothing here does I/O or reads a clock.
"""
