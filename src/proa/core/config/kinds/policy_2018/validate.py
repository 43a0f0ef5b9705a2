"""Whether 2018's authentication Policy and MeshPolicy make sense: Istio's rules for their fields. Called through the
kinds table."""

from collections.abc import Iterator

from proa.core.config.headers import header_name_fault
from proa.core.config.hostnames import is_dns_label
from proa.core.config.jwt_keys import key_set_fault, web_address_fault
from proa.core.config.kinds.policy_2018.schema import Jwt, Policy, Target
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten
from proa.core.model.names import ROOT_NAMESPACE

SPEC: Path = ("spec",)
DEFAULT = "default"


def validate_policy(spec: Policy, meta: Meta) -> Iterator[Finding]:
    if meta.name and (meta.name == DEFAULT) == bool(spec.targets):
        message = (
            "the policy named default is the namespace's and has no targets; remove them or rename it"
            if spec.targets
            else "a policy without targets is the namespace's and is named default; rename it or add targets"
        )
        yield Finding(("metadata", "name"), "bad-value", message)
    if meta.namespace == ROOT_NAMESPACE:
        message = (
            f"what stands in {ROOT_NAMESPACE} holds for the whole mesh today; write a MeshPolicy, or move it"
        )
        yield Finding(("metadata", "namespace"), "no-equivalent", message)
    for index, target in enumerate(spec.targets):
        at: Path = (*SPEC, "targets", index)
        yield from _check_target(target, at)
        if target in spec.targets[:index]:
            yield warning(at, "duplicate", "the target is there already; remove one")
    yield from _check_methods(spec)


def validate_mesh_policy(spec: Policy, meta: Meta) -> Iterator[Finding]:
    if meta.name and meta.name != DEFAULT:
        yield Finding(("metadata", "name"), "bad-value", "the mesh's policy is named default; rename it")
    if spec.targets:
        yield Finding((*SPEC, "targets"), "conflict", "the mesh's policy has no targets; remove them")
    yield from _check_methods(spec)


def _check_target(target: Target, at: Path) -> Iterator[Finding]:
    if not is_dns_label(target.name):
        message = (
            f'"{shorten(target.name)}" is no service; write its short name: letters, digits, inner dashes'
        )
        yield Finding((*at, "name"), "bad-value", message)
    for index, port in enumerate(target.ports):
        if (port.number is None) == (not port.name):
            message = "a port is a number or a name; write one of them"
            yield Finding((*at, "ports", index), "required" if port.number is None else "conflict", message)
        elif port.name:
            message = "a name does not tell which number a service has it for; write number"
            yield Finding((*at, "ports", index, "name"), "no-equivalent", message)


def _check_methods(spec: Policy) -> Iterator[Finding]:
    for index, peer in enumerate(spec.peers):
        at = (*SPEC, "peers", index)
        if (peer.mtls is None) == (peer.jwt is None):
            code = "required" if peer.mtls is None else "conflict"
            yield Finding(at, code, "a peer shows one of mtls and jwt; write one")
        if peer.jwt is not None:
            yield from _check_jwt(peer.jwt, (*at, "jwt"))
            message = "a token is no peer's: peers are told by their certificates; write it under origins"
            yield Finding((*at, "jwt"), "no-equivalent", message)
        if peer.mtls is not None and peer.mtls.allow_tls:
            message = (
                "clients with TLS and no certificate cannot be told from strangers; write mode: PERMISSIVE"
            )
            yield Finding((*at, "mtls", "allowTls"), "no-equivalent", message)
        if peer.mtls is not None and any(each.mtls is not None for each in spec.peers[:index]):
            yield Finding(
                at, "duplicate", "mutual TLS is among the peers already; keep the one that is meant"
            )
    issuers: set[str] = set()
    for index, origin in enumerate(spec.origins):
        at = (*SPEC, "origins", index, "jwt")
        if origin.jwt is None:
            yield Finding(at, "required", "an origin shows a token; write jwt")
            continue
        yield from _check_jwt(origin.jwt, at)
        if origin.jwt.issuer and origin.jwt.issuer in issuers:
            yield Finding((*at, "issuer"), "duplicate", "the issuer is there already; remove one")
        issuers.add(origin.jwt.issuer)
    if spec.origins:
        yield from _check_ports(spec)
    elif spec.principal_binding == "USE_ORIGIN":
        message = "principals come from origins, and there are none; remove it, or add an origin"
        yield Finding((*SPEC, "principalBinding"), "conflict", message)
    for name, is_set, methods in (
        ("peerIsOptional", spec.peer_is_optional, spec.peers),
        ("originIsOptional", spec.origin_is_optional, spec.origins),
    ):
        if is_set and not methods:
            message = "nothing of the kind is asked for, so there is nothing to leave out; remove it"
            yield warning((*SPEC, name), "no-effect", message)
    if not spec.peers and not spec.origins:
        yield warning(SPEC, "no-effect", "no peers and no origins: everybody is let in; is that meant?")


def _check_ports(spec: Policy) -> Iterator[Finding]:
    for index, target in enumerate(spec.targets):
        if target.ports:
            message = (
                "today tokens are looked at on all ports of a workload; name the service alone, and say by an"
                " AuthorizationPolicy which ports need one"
            )
            yield Finding((*SPEC, "targets", index, "ports"), "no-equivalent", message)


def _check_jwt(jwt: Jwt, at: Path) -> Iterator[Finding]:
    if not jwt.issuer:
        yield Finding((*at, "issuer"), "required", "a token needs an issuer; write it")
    if jwt.jwks_uri and (fault := web_address_fault(jwt.jwks_uri)):
        yield Finding((*at, "jwksUri"), "bad-value", fault)
    if jwt.jwks and (fault := key_set_fault(jwt.jwks)):
        yield Finding((*at, "jwks"), "bad-value", fault)
    for index, header in enumerate(jwt.jwt_headers):
        if header and (fault := header_name_fault(header)):
            yield Finding((*at, "jwtHeaders", index), "bad-value", fault)
