"""One request, or one connection, as authorization sees it.

The path is as the proxy has it when policies are asked: normalised, and without its query. Headers are as they came.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec
from immutables import Map

from proa.core.model.names import DEFAULT_TRUST_DOMAIN

Claim: TypeAlias = "str | int | float | bool | Sequence[Claim] | Mapping[str, Claim] | None"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who is at the other end, by its certificate; nothing of it without mesh TLS. `principal` is the SPIFFE id without
    its scheme, `workload` is `name.namespace`. `address` is the peer's own, `remote` that of whom it speaks for."""

    principal: str = ""
    workload: str = ""
    address: str = ""
    remote: str = ""
    sni: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`ports` are the numbers the port is known by. A raw stream (`is_stream`) has a caller and ports alone. `claims`
    are of a token that was verified, as JSON; `metadata` is that of the proxy's filters, by filter. `own_domains` are
    the names of the mesh's trust domain: a caller of another has a principal and no namespace, account or workload of
    ours."""

    caller: Caller = Caller()
    ports: tuple[int, ...] = ()
    address: str = ""
    is_stream: bool = False
    method: str = "GET"
    authority: str = ""
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    claims: Map[str, Claim] = Map()
    metadata: Map[str, Claim] = Map()
    own_domains: tuple[str, ...] = (DEFAULT_TRUST_DOMAIN,)

    def header(self, name: str) -> str | None:
        """Several of one name are one, as HTTP has it. None: there is none."""
        found = [value for each, value in self.headers if each.lower() == name]
        return ",".join(found) if found else None

    def claim(self, path: tuple[str, ...]) -> Claim:
        return _at(self.claims, path)

    def told(self, path: tuple[str, ...]) -> Claim:
        return _at(self.metadata, path)

    @property
    def request_principal(self) -> str:
        """`issuer/subject`; empty when the token lacks one of them."""
        parts = (self.claim(("iss",)), self.claim(("sub",)))
        return "/".join(str(part) for part in parts) if all(isinstance(p, str) and p for p in parts) else ""


def _at(tree: Claim, path: tuple[str, ...]) -> Claim:
    for name in path:
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(name)
    return tree


def spiffe_parts(principal: str) -> tuple[str, str, str]:
    """Trust domain, namespace and account of `td/ns/NAMESPACE/sa/ACCOUNT`; the last two empty for any other shape."""
    domain, _, rest = principal.partition("/")
    match rest.split("/"):
        case ["ns", namespace, "sa", account]:
            return domain, namespace, account
    return domain, "", ""


def runs(elements: list[str]) -> Iterator[str]:
    """All that stands together in a list: what a header says, line by line or all in one."""
    for start in range(len(elements)):
        for end in range(start + 1, len(elements) + 1):
            yield ",".join(elements[start:end]).strip(" \t")
