"""Signed tokens: JWS compact serialization verified over `cryptography`, and nothing more.

One form per module, named after the standards: `base64url` (RFC 4648 §5), `strict_json`
(RFC 8259, the subset we accept), `algorithms` (RFC 7518 §3, RFC 8037 §3.1), `public_key`
(RFC 7638), `pem` (RFC 7468), `jwk` (RFC 7517, RFC 7518 §6), `jws` (RFC 7515 §7.1),
`registered_claims` (RFC 7519 §4.1); `verifier` puts them together. Nothing here reads a file,
a socket or a clock: keys come from `authmw.keys`, the time as an argument. `doc/rfc8725.rst`
says how each point of RFC 8725 is kept.

`cryptography` is imported when the first key is parsed, never when these modules are: a
service that validates remotely need not have it (see `authmw.keys.cryptography_needed`).
"""
