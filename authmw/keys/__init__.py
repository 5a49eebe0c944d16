"""Where public keys come from: a directory of files, a JWK set behind a URI, or both.

`source` has the protocols. A reader (`directory`, `jwks_uri`) does the I/O of one source;
`refreshed` makes a key source of it: it plans readings, keeps the last good keys, bounds the
readings that tokens cause, and logs. `combined` joins several sources.
"""
