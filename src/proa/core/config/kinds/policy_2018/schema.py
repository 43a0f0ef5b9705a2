"""What 2018's authentication Policy and MeshPolicy say, as users wrote them. Read by their validator."""

from types import MappingProxyType
from typing import Annotated, Literal

from proa.core.config.record import Filled, NullIsEmpty, Port, Record

MtlsMode = Literal["STRICT", "PERMISSIVE"]
PrincipalBinding = Literal["USE_PEER", "USE_ORIGIN"]


class Record2018(Record, frozen=True, kw_only=True):
    SNAKE_TOO = True


class PolicyPort(Record2018, frozen=True, kw_only=True):
    number: Port | None = None
    name: str = ""


class Target(Record2018, frozen=True, kw_only=True):
    """`name` is a service's short name; no ports: all."""

    name: str
    ports: tuple[PolicyPort, ...] = ()


class MutualTls(Record2018, frozen=True, kw_only=True):
    allow_tls: bool = False
    mode: MtlsMode = "STRICT"


class Jwt(Record2018, frozen=True, kw_only=True):
    GONE = MappingProxyType(
        {
            "triggerRules": "said on which paths tokens count, which they do on all today; set originIsOptional, and"
            " say by an AuthorizationPolicy which paths need one"
        }
    )

    issuer: str
    audiences: tuple[Filled, ...] = ()
    jwks_uri: str = ""
    jwks: str = ""
    jwt_headers: tuple[Filled, ...] = ()
    jwt_params: tuple[Filled, ...] = ()


class Peer(Record2018, frozen=True, kw_only=True):
    """`mtls:` with nothing behind it is mutual TLS, strict."""

    mtls: Annotated[MutualTls | None, NullIsEmpty()] = None
    jwt: Jwt | None = None


class Origin(Record2018, frozen=True, kw_only=True):
    jwt: Jwt | None = None


class Policy(Record2018, frozen=True, kw_only=True):
    """No targets: the whole namespace, or the mesh for a MeshPolicy."""

    targets: tuple[Target, ...] = ()
    peers: tuple[Peer, ...] = ()
    peer_is_optional: bool = False
    origins: tuple[Origin, ...] = ()
    origin_is_optional: bool = False
    principal_binding: PrincipalBinding = "USE_PEER"
