"""Rules that a VirtualService hands on to another one: what both say together, as Istio merges it.

The root's rule is replaced by the delegate's rules, each narrowed by the root's conditions, with what it does not say
itself taken from the root's. A rule that is not within the root's conditions is left out, and a Note says so. Names
that a delegate sends to are of its own namespace, so they are written out in full. Called by Pilot's scopes, which see
nothing but the merged rules, and by analysis.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec
from immutables import Map

from proa.core.config.export_to import sees, visible_in
from proa.core.config.kinds.virtual_service.schema import (
    Destination,
    HttpMatch,
    HttpRoute,
    StringMatch,
    VirtualService,
)
from proa.core.model.names import ObjectRef, expand_host
from proa.core.model.notes import Note
from proa.core.model.snapshot import ConfigValue

V = TypeVar("V")
_OF_ANSWERS = ("cors_policy", "headers")
"""What a rule may be given that sends nowhere."""
_INHERITED = (
    *_OF_ANSWERS,
    "rewrite",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirror_percent",
    "mirror_percentage",
    "mirrors",
)


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a merged rule was written: which rule of the root, and of which delegate."""

    number: int
    delegate: ObjectRef | None = None
    inner: int = 0

    def __str__(self) -> str:
        own = f"http[{self.number}]"
        return own if self.delegate is None else f"{own} {self.delegate} http[{self.inner}]"


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """What is left out: a rule of the root whose delegate cannot be had (`inner` None), or one of the delegate's."""

    number: int
    delegate: ObjectRef
    inner: int | None = None
    why: str

    def note(self, root: ObjectRef) -> Note:
        if self.inner is None:
            message = f"http[{self.number}] hands on to {self.delegate}, {self.why}; the rule is left out"
            return Note(code="delegate-missing", about=root, message=message)
        message = f"http[{self.inner}] {self.why} of http[{self.number}] of {root}; it is left out there"
        return Note(code="delegate-conflict", about=self.delegate, message=message)


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """`origins` are those of `spec.http`, one by one; none when nothing is handed on."""

    spec: VirtualService
    origins: tuple[Origin, ...] = ()
    lost: tuple[Lost, ...] = ()


def delegates_of(ref: ObjectRef, spec: VirtualService) -> frozenset[ObjectRef]:
    """Those that a root's rules name, be they there or not."""
    return frozenset(
        ObjectRef(ref.kind, rule.delegate.namespace or ref.namespace, rule.delegate.name)
        for rule in spec.http
        if rule.delegate is not None
    )


def merged(
    configs: Mapping[ObjectRef, ConfigValue],
    ref: ObjectRef,
    spec: VirtualService,
    export_to: tuple[str, ...] = (),
) -> Merged:
    """The rules in force of one object. `export_to`: who sees delegates that say nothing of it."""
    if all(rule.delegate is None for rule in spec.http):
        return Merged(spec=spec)
    rules: list[HttpRoute] = []
    origins: list[Origin] = []
    lost: list[Lost] = []
    for number, rule in enumerate(spec.http):
        if rule.delegate is None:
            rules.append(rule)
            origins.append(Origin(number=number))
            continue
        named = ObjectRef(ref.kind, rule.delegate.namespace or ref.namespace, rule.delegate.name)
        found = _delegate(configs, ref, named, export_to)
        if isinstance(found, str):
            lost.append(Lost(number=number, delegate=named, why=found))
            continue
        for inner, handed in enumerate(found.http):
            made = merge_rule(rule, _in_full(handed, named.namespace))
            if made is None:
                why = "is not within the conditions"
                lost.append(Lost(number=number, delegate=named, inner=inner, why=why))
            else:
                rules.append(made)
                origins.append(Origin(number=number, delegate=named, inner=inner))
    return Merged(
        spec=msgspec.structs.replace(spec, http=tuple(rules)), origins=tuple(origins), lost=tuple(lost)
    )


def _delegate(
    configs: Mapping[ObjectRef, ConfigValue], root: ObjectRef, named: ObjectRef, export_to: tuple[str, ...]
) -> VirtualService | str:
    """The object that is named, or why it is none to hand on to."""
    config = configs.get(named)
    if config is None or not isinstance(config.spec, VirtualService):
        return "which is not there"
    if config.spec.hosts:
        return "which has hosts of its own"
    if not sees(visible_in(config.spec.export_to or export_to, named.namespace), root.namespace):
        return f"which is not exported to {root.namespace}"
    return config.spec


def _in_full(rule: HttpRoute, namespace: str) -> HttpRoute:
    def full(destination: Destination) -> Destination:
        return msgspec.structs.replace(destination, host=expand_host(destination.host, namespace))

    return msgspec.structs.replace(
        rule,
        route=tuple(msgspec.structs.replace(each, destination=full(each.destination)) for each in rule.route),
        mirror=full(rule.mirror) if rule.mirror is not None else None,
        mirrors=tuple(
            msgspec.structs.replace(each, destination=full(each.destination)) for each in rule.mirrors
        ),
    )


def merge_rule(root: HttpRoute, handed: HttpRoute) -> HttpRoute | None:
    """None when the delegate's conditions are not within the root's."""
    matches = _merge_matches(root.match, handed.match)
    if matches is None:
        return None
    answers = handed.redirect is not None or handed.direct_response is not None
    inherited = {
        name: getattr(root, name)
        for name in (_OF_ANSWERS if answers else _INHERITED)
        if getattr(handed, name) in (None, ())
    }
    return msgspec.structs.replace(
        handed, match=matches, name="-".join(filter(None, (root.name, handed.name))), **inherited
    )


def _merge_matches(
    root: tuple[HttpMatch, ...], handed: tuple[HttpMatch, ...]
) -> tuple[HttpMatch, ...] | None:
    """Each block of the delegate must lie within one of the root's; within several it is there for each."""
    if not root or not handed:
        return root or handed
    found: list[HttpMatch] = []
    for inner in handed:
        wider = [outer for outer in root if not conflicts(outer, inner)]
        if not wider:
            return None
        found += (_merge_match(outer, inner) for outer in wider)
    return tuple(found)


def _merge_match(root: HttpMatch, inner: HttpMatch) -> HttpMatch:
    return HttpMatch(
        name="-".join(filter(None, (root.name, inner.name))),
        uri=inner.uri or root.uri,
        scheme=inner.scheme or root.scheme,
        method=inner.method or root.method,
        authority=inner.authority or root.authority,
        headers=_joined(root.headers, inner.headers),
        without_headers=_joined(root.without_headers, inner.without_headers),
        query_params=_joined(root.query_params, inner.query_params),
        port=inner.port or root.port,
        gateways=inner.gateways or root.gateways,
        ignore_uri_case=inner.ignore_uri_case,
        source_labels=_joined(root.source_labels, inner.source_labels),
        source_namespace=inner.source_namespace or root.source_namespace,
        stat_prefix=inner.stat_prefix or root.stat_prefix,
    )


def _joined(root: Map[str, V], inner: Map[str, V]) -> Map[str, V]:
    return root.update(inner)


def conflicts(root: HttpMatch, inner: HttpMatch) -> bool:
    """Whether a delegate's block is for anything that the root's is not for."""
    if any(_is_wider(mine, theirs) for mine, theirs in _texts(root, inner)):
        return True
    if root.ignore_uri_case != inner.ignore_uri_case:
        return True
    if root.port and inner.port and root.port != inner.port:
        return True
    if root.source_namespace and inner.source_namespace not in ("", root.source_namespace):
        return True
    if any(root.source_labels.get(key, value) != value for key, value in inner.source_labels.items()):
        return True
    return bool(root.gateways and inner.gateways) and not set(inner.gateways) <= set(root.gateways)


def _texts(root: HttpMatch, inner: HttpMatch) -> Iterator[tuple[StringMatch | None, StringMatch | None]]:
    yield root.uri, inner.uri
    yield root.scheme, inner.scheme
    yield root.method, inner.method
    yield root.authority, inner.authority
    pairs: tuple[tuple[Mapping[str, StringMatch], Mapping[str, StringMatch]], ...] = (
        (root.headers, inner.headers),
        (root.without_headers, inner.without_headers),
        (root.query_params, inner.query_params),
    )
    for mine, theirs in pairs:
        for key, text in theirs.items():
            yield mine.get(key), text


def _is_wider(root: StringMatch | None, inner: StringMatch | None) -> bool:
    """Where both ask of one thing. What two regexes have in common nobody can say: they conflict, as in Istio."""
    if root is None or inner is None or root == inner == StringMatch():
        return False
    if root.exact is not None:
        return inner.exact != root.exact
    if root.prefix is not None:
        asked = inner.exact if inner.exact is not None else inner.prefix
        return asked is None or not asked.startswith(root.prefix)
    return True
