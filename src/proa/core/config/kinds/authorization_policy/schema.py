"""What an AuthorizationPolicy says, as users write it. Read by its validator and by Auth."""

from typing import Annotated, Literal

import msgspec

from proa.core.config.record import NotEmpty, Record
from proa.core.config.selection import TargetRef, WorkloadSelector

Some = Annotated[tuple[str, ...], NotEmpty()]
"""A list that is written has values: an empty one could be read as nobody, and as anybody."""
Action = Literal["ALLOW", "DENY", "AUDIT", "CUSTOM"]


class Provider(Record, frozen=True, kw_only=True):
    name: str = ""


class Source(Record, frozen=True, kw_only=True):
    """Who asks: every field that is written must hold, any of its values. Values may begin or end with `*`."""

    principals: Some = ()
    not_principals: Some = ()
    request_principals: Some = ()
    not_request_principals: Some = ()
    namespaces: Some = ()
    not_namespaces: Some = ()
    service_accounts: Some = ()
    not_service_accounts: Some = ()
    ip_blocks: Some = ()
    not_ip_blocks: Some = ()
    remote_ip_blocks: Some = ()
    not_remote_ip_blocks: Some = ()
    trust_domains: Some = ()
    not_trust_domains: Some = ()


class Operation(Record, frozen=True, kw_only=True):
    """What is asked for, by the same rule."""

    hosts: Some = ()
    not_hosts: Some = ()
    ports: Some = ()
    not_ports: Some = ()
    methods: Some = ()
    not_methods: Some = ()
    paths: Some = ()
    not_paths: Some = ()


class From(Record, frozen=True, kw_only=True):
    source: Source


class To(Record, frozen=True, kw_only=True):
    operation: Operation


class Condition(Record, frozen=True, kw_only=True):
    key: str
    values: tuple[str, ...] = ()
    not_values: tuple[str, ...] = ()


class Rule(Record, frozen=True, kw_only=True):
    """Any of `from`, any of `to` and all of `when`; a part that is absent always holds."""

    from_: Annotated[tuple[From, ...], NotEmpty()] = msgspec.field(default=(), name="from")
    to: Annotated[tuple[To, ...], NotEmpty()] = ()
    when: Annotated[tuple[Condition, ...], NotEmpty()] = ()


class AuthorizationPolicy(Record, frozen=True, kw_only=True):
    """No rules: nothing matches, which for ALLOW means that everything is refused."""

    selector: WorkloadSelector | None = None
    target_ref: TargetRef | None = None
    target_refs: tuple[TargetRef, ...] = ()
    rules: tuple[Rule, ...] = ()
    action: Action = "ALLOW"
    provider: Provider | None = None
