"""What a RequestAuthentication says, as users write it. Read by its validator."""

from typing import Literal

from proa.core.config.record import Duration, Filled, Record
from proa.core.config.selection import TargetRef, WorkloadSelector

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

    issuer: Filled
    audiences: tuple[Filled, ...] = ()
    jwks_uri: Filled = ""
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


class RequestAuthentication(Record, frozen=True, kw_only=True):
    """For the workloads that `selector` picks, or for the gateways started for the Gateways that are targets."""

    selector: WorkloadSelector | None = None
    target_ref: TargetRef | None = None
    target_refs: tuple[TargetRef, ...] = ()
    jwt_rules: tuple[JwtRule, ...] = ()
