"""What an AuthorizationPolicy says, as users write it. Read by its validator and by Auth."""

from typing import Annotated, Literal

import msgspec

from proa.core.config.record import NotEmpty, Record
from proa.core.config.selection import TargetRef, WorkloadSelector

Action = Literal["ALLOW", "DENY", "AUDIT", "CUSTOM"]


class Provider(Record, frozen=True, kw_only=True):
    name: str = ""


class Source(Record, frozen=True, kw_only=True):
    """Who asks: every field that is written must hold, any of its values. Values may begin or end with `*`."""

    principals: tuple[str, ...] = ()
    not_principals: tuple[str, ...] = ()
    request_principals: tuple[str, ...] = ()
    not_request_principals: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    not_namespaces: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    not_service_accounts: tuple[str, ...] = ()
    ip_blocks: tuple[str, ...] = ()
    not_ip_blocks: tuple[str, ...] = ()
    remote_ip_blocks: tuple[str, ...] = ()
    not_remote_ip_blocks: tuple[str, ...] = ()
    trust_domains: tuple[str, ...] = ()
    not_trust_domains: tuple[str, ...] = ()


class Operation(Record, frozen=True, kw_only=True):
    """What is asked for, by the same rule."""

    hosts: tuple[str, ...] = ()
    not_hosts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    not_ports: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    not_methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()


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
