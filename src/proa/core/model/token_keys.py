"""Where the keys of end users' tokens are fetched. The control plane fetches them, proxies are given what it found."""

import msgspec


class KeySource(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """`uri` is of a JSON Web Key Set; empty: the OpenID discovery document of `issuer` names it. With a `uri` the
    issuer is left out: keys are the same whoever is said to have signed with them."""

    uri: str
    issuer: str = ""

    def __str__(self) -> str:
        return self.uri or f"{self.issuer} (by discovery)"


def key_source(issuer: str, uri: str) -> KeySource:
    return KeySource(uri=uri) if uri else KeySource(uri="", issuer=issuer)
