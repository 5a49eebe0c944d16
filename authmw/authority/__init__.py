"""Authority: where names and roles of a signed token come from.

A signature proves who issued a token. Keystone's JWS carries no names and no roles, so they come
from a source of `jws_authority`: the token's own claims, or the identity endpoint. Either source
gives an `Authorization`, which holds for every token with the same *authority key*.
"""
