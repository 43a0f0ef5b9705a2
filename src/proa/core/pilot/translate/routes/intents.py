"""What a route must say, in the terms of routing and not of any rule language.

`core.pilot.scope` fills these from VirtualServices and services; the builders beside this file turn them into
Envoy's messages. Every fact a builder needs is here, so an intent's digest is the key of what is built from it.
"""

from typing import Literal

import msgspec

from proa.core.model.names import ObjectRef


class TextMatch(msgspec.Struct, frozen=True, kw_only=True):
    """`present` asks only that there be a value. `regex` is RE2 and matches the whole text."""

    kind: Literal["exact", "prefix", "regex", "present"]
    value: str = ""


class FieldMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A header (pseudo headers included) or query parameter; `absent_or_not` turns the test round."""

    name: str
    text: TextMatch
    invert: bool = False


class RequestMatch(msgspec.Struct, frozen=True, kw_only=True):
    """All of it must hold. `path` None: any path."""

    path: TextMatch | None = None
    ignore_case: bool = False
    headers: tuple[FieldMatch, ...] = ()
    query: tuple[FieldMatch, ...] = ()


class HashKey(msgspec.Struct, frozen=True, kw_only=True):
    """By what of a request its endpoint is chosen. `ttl_ms` None: no cookie is made. `attributes`: of that cookie."""

    header: str = ""
    query_parameter: str = ""
    source_ip: bool = False
    cookie: str = ""
    path: str = ""
    ttl_ms: int | None = None
    attributes: tuple[tuple[str, str], ...] = ()


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """`follows_client` marks a cluster of a port with undeclared protocol: the hop speaks what the client spoke.
    `hash_key`: which endpoint takes a request is not any one's turn."""

    cluster: str
    weight: int = 1
    follows_client: bool = False
    hash_key: HashKey | None = None


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """`attempts` counts retries, not the first try. 0 turns retries off."""

    attempts: int = 2
    on: tuple[str, ...] = ("connect-failure", "refused-stream", "unavailable", "cancelled")
    status_codes: tuple[int, ...] = ()
    per_try_timeout_ms: int = 0


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Percents are 0 to 100 with Envoy's resolution of a ten-thousandth of a percent."""

    delay_ms: int = 0
    delay_percent: float = 0.0
    abort_status: int = 0
    abort_percent: float = 0.0


class Redirect(msgspec.Struct, frozen=True, kw_only=True):
    scheme: str = ""
    path: str = ""
    authority: str = ""
    code: int = 301


class DirectResponse(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    body: str = ""


class Rewrite(msgspec.Struct, frozen=True, kw_only=True):
    path: str = ""
    authority: str = ""


class RouteIntent(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: `matches` are alternatives, in order. Exactly one of targets, redirect, direct_response is set.
    `timeout_ms` 0: none. `guarded`: the egress guard looks at where it goes."""

    name: str = ""
    matches: tuple[RequestMatch, ...] = (RequestMatch(),)
    targets: tuple[Target, ...] = ()
    redirect: Redirect | None = None
    direct_response: DirectResponse | None = None
    rewrite: Rewrite | None = None
    timeout_ms: int = 0
    retry: Retry = Retry()
    fault: Fault | None = None
    guarded: bool = False
    objects: tuple[ObjectRef, ...] = ()
    rule: str = ""


class Connect(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of CONNECT. `tunnel` leads into an internal listener, with `fallback` as the cluster of
    streams that turn out not to be HTTP; `guarded` goes straight out; neither: refused with `refusal`."""

    tunnel: str = ""
    fallback: str = ""
    guarded: str = ""
    refusal: int = 0


class VirtualHostIntent(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    domains: tuple[str, ...]
    routes: tuple[RouteIntent, ...]
    connect: Connect | None = None
    objects: tuple[ObjectRef, ...] = ()
