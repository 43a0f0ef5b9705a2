"""Rules to a matcher tree, so that what a request costs does not grow with the number of rules.

Rules that name whole principals hang in a map by principal, below it those that name paths in a map by path, or in one
of path prefixes; what names neither is tried one by one. Envoy goes on where a branch has no match: from a shorter to
no prefix, then to what stands behind the map. So each rule stands where its own keys put it and nowhere else.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from envoy.config.rbac.v3.rbac_pb2 import RBAC
from envoy.config.rbac.v3.rbac_pb2 import Action as RbacAction
from xds.core.v3.extension_pb2 import TypedExtensionConfig
from xds.type.matcher.v3.matcher_pb2 import Matcher

from proa.core.auth.authorization.values import HTTP_ONLY, Action, Attribute, Policy, Rule, Shape, Term, Terms
from proa.core.auth.spiffe import SCHEME
from proa.core.pilot.translate.authorization import inputs
from proa.core.pilot.translate.authorization.predicates import (
    Decided,
    Place,
    all_of,
    any_of,
    term_predicate,
    terms_predicate,
)
from proa.core.pilot.translate.encode import pack

FEWEST_KEYS: Final = 4
"""With fewer, a map is no faster than to try them."""
_MOST_BRANCHES: Final = 64
"""Of one rule. One with more ways to hold is tried as a whole."""

OnMatch = Matcher.OnMatch


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """One way for a rule to hold. `principal` and `path` are terms that may be keys of a map; `rest` is what is
    left."""

    name: str
    principal: Term | None = None
    path: Term | None = None
    rest: Decided


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """All rules of one action; a match ends with `verdict`."""

    policies: tuple[Policy, ...]
    action: Action
    verdict: "RBAC.Action.ValueType"


def verdict(name: str, action: "RBAC.Action.ValueType") -> OnMatch:
    config = pack(RbacAction(name=name, action=action))
    return OnMatch(action=TypedExtensionConfig(name="envoy.filters.rbac.action", typed_config=config))


def build_matcher(stages: Iterable[Stage], final: OnMatch, place: Place) -> Matcher:
    """One stage after the other, and `final` when none of them has a match."""
    following = final
    for stage in reversed(tuple(stages)):
        following = _Grower(stage, place).stage(following)
    return following.matcher if following.HasField("matcher") else Matcher(on_no_match=following)


class _Grower:
    def __init__(self, stage: Stage, place: Place) -> None:
        self._stage = stage
        self._place = place

    def stage(self, following: OnMatch) -> OnMatch:
        branches = [
            branch
            for policy in self._stage.policies
            for rule in policy.rules
            for branch in branches_of(rule, self._stage.action, self._place)
        ]
        return self._by_principal(branches, following) if branches else following

    def _by_principal(self, branches: list[Branch], following: OnMatch) -> OnMatch:
        keyed: dict[str, list[Branch]] = {}
        others: list[Branch] = []
        for branch in branches:
            if branch.principal is None:
                others.append(branch)
            else:
                for value in branch.principal.values:
                    keyed.setdefault(SCHEME + value.text, []).append(branch)
        if len(keyed) < FEWEST_KEYS:
            return self._by_path([self._without_principal(branch) for branch in branches], following)
        tree = Matcher.MatcherTree(input=inputs.PEER)
        for key, held in sorted(keyed.items()):
            tree.exact_match_map.map[key].CopyFrom(self._by_path(held, None))
        behind = self._by_path(others, following) if others else following
        return OnMatch(matcher=Matcher(matcher_tree=tree, on_no_match=behind))

    def _by_path(self, branches: list[Branch], following: OnMatch | None) -> OnMatch:
        exact: dict[str, list[Branch]] = {}
        prefixes: dict[str, list[Branch]] = {}
        others: list[Branch] = []
        for branch in branches:
            if branch.path is None:
                others.append(branch)
            else:
                for value in branch.path.values:
                    (prefixes if value.shape == "prefix" else exact).setdefault(value.text, []).append(branch)
        if len(exact) + len(prefixes) < FEWEST_KEYS:
            return self._in_turn([self._without_path(branch) for branch in branches], following)
        behind = self._in_turn(others, following) if others else following
        for held, is_prefix in ((prefixes, True), (exact, False)):
            if held:
                behind = self._path_map(held, behind, is_prefix=is_prefix)
        assert behind is not None
        return behind

    def _path_map(self, held: dict[str, list[Branch]], behind: OnMatch | None, *, is_prefix: bool) -> OnMatch:
        tree = Matcher.MatcherTree(input=inputs.state(inputs.PATH))
        entries = tree.prefix_match_map.map if is_prefix else tree.exact_match_map.map
        for key, branches in sorted(held.items()):
            entries[key].CopyFrom(self._in_turn(branches, None))
        return OnMatch(matcher=Matcher(matcher_tree=tree, on_no_match=behind))

    def _in_turn(self, branches: list[Branch], following: OnMatch | None) -> OnMatch:
        """One after the other; who always holds makes the others superfluous."""
        for branch in branches:
            if branch.rest is True:
                return verdict(branch.name, self._stage.verdict)
        found = Matcher(on_no_match=following)
        for branch in branches:
            assert not isinstance(branch.rest, bool)
            on_match = verdict(branch.name, self._stage.verdict)
            found.matcher_list.matchers.add(predicate=branch.rest, on_match=on_match)
        return OnMatch(matcher=found)

    def _without_principal(self, branch: Branch) -> Branch:
        if branch.principal is None:
            return branch
        asked = term_predicate(branch.principal, self._stage.action, self._place)
        return msgspec.structs.replace(branch, principal=None, rest=all_of([asked, branch.rest]))

    def _without_path(self, branch: Branch) -> Branch:
        if branch.path is None:
            return branch
        asked = term_predicate(branch.path, self._stage.action, self._place)
        return msgspec.structs.replace(branch, path=None, rest=all_of([asked, branch.rest]))


def branches_of(rule: Rule, action: Action, place: Place) -> Iterator[Branch]:
    """The ways for a rule to hold; none when it never does."""
    if place.is_stream and action == "ALLOW" and any(term.attribute in HTTP_ONLY for term in rule.terms):
        return
    conditions = terms_predicate(rule.conditions, action, place)
    sources = list(_keyed(rule.sources, "principal", ("exact",) if place.has_peer else (), action, place))
    may_ask_path = not place.is_stream
    operations = list(
        _keyed(rule.operations, "path", ("exact", "prefix") if may_ask_path else (), action, place)
    )
    if len(sources) * len(operations) > _MOST_BRANCHES:
        operations = [(None, _whole(operations, action, place))]
    if len(sources) > _MOST_BRANCHES:
        sources = [(None, _whole(sources, action, place))]
    for principal, source in sources:
        for path, operation in operations:
            rest = all_of([source, operation, conditions])
            if rest is not False:
                yield Branch(name=rule.name, principal=principal, path=path, rest=rest)


def _whole(choices: list[tuple[Term | None, Decided]], action: Action, place: Place) -> Decided:
    return any_of(
        all_of([term_predicate(term, action, place) if term else True, rest]) for term, rest in choices
    )


def _keyed(
    choices: tuple[Terms, ...],
    attribute: Attribute,
    shapes: tuple[Shape, ...],
    action: Action,
    place: Place,
) -> Iterator[tuple[Term | None, Decided]]:
    """Each choice as its key and the rest of it. Those without a key are one."""
    others: list[Decided] = []
    for terms in choices or ((),):
        key = next((term for term in terms if _is_key(term, attribute, shapes)), None)
        rest = terms_predicate(tuple(term for term in terms if term is not key), action, place)
        if key is None:
            others.append(rest)
        elif rest is not False:
            yield key, rest
    unkeyed = any_of(others)
    if unkeyed is not False:
        yield None, unkeyed


def _is_key(term: Term, attribute: Attribute, shapes: tuple[Shape, ...]) -> bool:
    return (
        term.attribute == attribute
        and not term.negated
        and bool(term.values)
        and all(value.shape in shapes for value in term.values)
    )
