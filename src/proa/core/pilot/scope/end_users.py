"""Which rules of end users' tokens are for a workload: those of the root namespace and of its own that select it, by
label or as a Gateway's proxy. They add up. Reads only what the index names.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from proa.core.auth.authorization.in_force import wears
from proa.core.auth.end_users import TokenRule, source_of, sources_of, token_rules, written_keys
from proa.core.auth.key_sets import NO_KEYS
from proa.core.config.config import Config
from proa.core.config.kinds.request_authentication.schema import RequestAuthentication
from proa.core.model.names import ObjectRef
from proa.core.model.notes import Note
from proa.core.model.snapshot import MeshSnapshot
from proa.core.model.token_keys import KeySource
from proa.core.model.workload import Workload
from proa.core.pilot.scope.index import RuleIndex, labels_asked

PATIENCE_MS: Final = 5000
"""How long keys may take to come, where a rule does not say."""


class EndUserView(msgspec.Struct, frozen=True, kw_only=True):
    rules: tuple[TokenRule, ...] = ()
    notes: tuple[Note, ...] = ()


def end_user_view(snapshot: MeshSnapshot, index: RuleIndex, workload: Workload) -> EndUserView:
    """Rules in the order of issuers, so that who wrote what first changes nothing. Of those that demand a token the
    narrowest objects decide: for some workloads, for the namespace, for the mesh."""
    found = tuple(_selecting(snapshot, index, workload))
    rules: list[TokenRule] = []
    demanding = 0
    for ref, spec in found:
        width = _narrowness(snapshot, ref, spec)
        made = tuple(token_rules(ref, spec, snapshot.key_sets.get))
        if any(rule.demanded for rule in made) and width > demanding:
            demanding = width
            rules = [msgspec.structs.replace(rule, demanded=False) for rule in rules]
        rules += (
            made if width >= demanding else [msgspec.structs.replace(rule, demanded=False) for rule in made]
        )
    return EndUserView(
        rules=tuple(sorted(rules, key=lambda rule: (rule.issuer, rule.ref))),
        notes=tuple(note for ref, spec in found for note in _missing(snapshot, ref, spec)),
    )


def _narrowness(snapshot: MeshSnapshot, ref: ObjectRef, spec: RequestAuthentication) -> int:
    if spec.target_ref is not None or spec.target_refs or (spec.selector and spec.selector.match_labels):
        return 3
    return 1 if ref.namespace == snapshot.settings.root_namespace else 2


def wanted_keys(snapshot: MeshSnapshot, index: RuleIndex) -> Mapping[KeySource, float]:
    """All sources that rules in force need, with the seconds that a fetch may take: the longest that any allows."""
    found: dict[KeySource, float] = {}
    for source, refs in index.token_keys.items():
        allowed = [_patience_ms(snapshot.configs[ref].spec, source) for ref in refs]
        found[source] = max(allowed) / 1000
    return found


def _patience_ms(spec: object, source: KeySource) -> int:
    assert isinstance(spec, RequestAuthentication)
    said = [rule.timeout or PATIENCE_MS for rule in spec.jwt_rules if source_of(rule) == source]
    return max(said, default=PATIENCE_MS)


def _selecting(
    snapshot: MeshSnapshot, index: RuleIndex, workload: Workload
) -> Iterator[tuple[ObjectRef, RequestAuthentication]]:
    for namespace in dict.fromkeys((snapshot.settings.root_namespace, workload.id.namespace)):
        for ref in sorted(index.end_users.get(namespace, frozenset())):
            config = snapshot.configs[ref]
            if isinstance(config, Config) and isinstance(config.spec, RequestAuthentication):
                if _is_for(ref, config.spec, workload):
                    yield ref, config.spec


def _is_for(ref: ObjectRef, spec: RequestAuthentication, workload: Workload) -> bool:
    """A target lies in the object's own namespace, and only gateways stand for one."""
    if spec.target_ref is not None or spec.target_refs:
        if workload.kind != "gateway" or workload.id.namespace != ref.namespace:
            return False
    return any(wears(workload.labels, labels) for labels in labels_asked(spec))


def _missing(snapshot: MeshSnapshot, ref: ObjectRef, spec: RequestAuthentication) -> Iterator[Note]:
    for number, rule in enumerate(spec.jwt_rules):
        if rule.jwks and written_keys(rule.jwks) == NO_KEYS:
            message = f"no key of jwtRules[{number}].jwks can check a signature: every token of this issuer is refused"
            yield Note(code="token-keys-missing", about=ref, message=message)
    for source in sorted(sources_of(spec)):
        if source not in snapshot.key_sets:
            message = (
                f"the keys of {source} are not fetched yet: every token of this issuer is refused with 401 until they"
                " are"
            )
            yield Note(code="token-keys-awaited", about=ref, message=message)
