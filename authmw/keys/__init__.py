"""Where public keys come from: a directory of files, a JWK set behind a URI, or both.

Every source is a `KeySource` (`authmw.jose.key_set`). The rules they share (how long the
last good keys are used, how often a reload is granted) are in `last_good`; `listing` says
what a directory's content means, `directory` and `jwks_uri` do the I/O.
"""
