"""What a RequestAuthentication says, as users write it. Read by its validator."""

from types import MappingProxyType
from typing import Literal

from proa.core.config.record import Duration, Filled, ReadOnlySpec, Record
from proa.core.config.selection import NO_WAYPOINTS, TargetRef, WorkloadSelector

Presence = Literal["OPTIONAL", "REQUIRED"]


class JwtHeader(Record, frozen=True, kw_only=True):
    """Where a token is; `prefix` stands before it (`Bearer `)."""

    name: Filled
    prefix: str = ""


class ClaimToHeader(Record, frozen=True, kw_only=True):
    header: Filled
    claim: Filled


class JwtRule(Record, frozen=True, kw_only=True):
    """One issuer. No keys: its OpenID discovery document names them. No places: the usual header and parameter."""

    IDLE = MappingProxyType({"presence": "Istio does not read it either"})

    issuer: Filled
    audiences: tuple[Filled, ...] = ()
    jwks_uri: str = ""
    jwks: str = ""
    from_headers: tuple[JwtHeader, ...] = ()
    from_params: tuple[Filled, ...] = ()
    from_cookies: tuple[Filled, ...] = ()
    output_payload_to_header: str = ""
    output_claim_to_headers: tuple[ClaimToHeader, ...] = ()
    forward_original_token: bool = False
    timeout: Duration | None = None
    space_delimited_claims: tuple[Filled, ...] = ()
    presence: Presence = "OPTIONAL"


class RequestAuthentication(ReadOnlySpec, frozen=True, kw_only=True):
    IDLE = MappingProxyType(dict.fromkeys(("targetRef", "targetRefs"), NO_WAYPOINTS))

    selector: WorkloadSelector | None = None
    target_ref: TargetRef | None = None
    target_refs: tuple[TargetRef, ...] = ()
    jwt_rules: tuple[JwtRule, ...] = ()
