"""Rules of one VirtualService that another rule before them leaves nothing to do, and weights that look like slips."""

from collections.abc import Hashable, Iterator, Sequence

import msgspec

from proa.core.config.analyze.message import Message
from proa.core.config.analyze.rules import rules_of
from proa.core.config.analyze.world import World
from proa.core.config.config import Config
from proa.core.config.kinds.virtual_service.schema import HttpMatch, VirtualService
from proa.core.config.path import Path


def check_routes(world: World) -> Iterator[Message]:
    for config in world.configs:
        if isinstance(config.spec, VirtualService):
            yield from _check_requests(config, config.spec)
            yield from _check_streams(config, "tls", [rule.match for rule in config.spec.tls])
            yield from _check_streams(config, "tcp", [rule.match for rule in config.spec.tcp])
            yield from _check_weights(config, config.spec)


class _Taken:
    """Which paths earlier rules take, for each combination of the other conditions."""

    def __init__(self) -> None:
        self._exact: dict[tuple[Hashable, str], int] = {}
        self._prefixes: dict[tuple[Hashable, str], int] = {}
        self._other: dict[tuple[Hashable, Hashable], int] = {}

    def by(self, match: HttpMatch) -> int | None:
        """The earliest rule found that takes all that this match would."""
        rest, uri = _rest(match), match.uri
        anything = self._prefixes.get((rest, ""))
        if uri is None:
            return anything
        path = uri.exact if uri.exact is not None else uri.prefix
        if path is None:
            return self._other.get((rest, uri), anything)
        path = path.lower() if match.ignore_uri_case else path
        if uri.exact is not None and (rest, path) in self._exact:
            return self._exact[rest, path]
        shorter = (self._prefixes.get((rest, path[:end])) for end in range(len(path) + 1))
        return next((rule for rule in shorter if rule is not None), None)

    def add(self, match: HttpMatch, rule: int) -> None:
        rest, uri = _rest(match), match.uri
        if uri is None:
            self._prefixes.setdefault((rest, ""), rule)
        elif uri.exact is not None:
            self._exact.setdefault((rest, uri.exact.lower() if match.ignore_uri_case else uri.exact), rule)
        elif uri.prefix is not None:
            self._prefixes.setdefault(
                (rest, uri.prefix.lower() if match.ignore_uri_case else uri.prefix), rule
            )
        else:
            self._other.setdefault((rest, uri), rule)


def _rest(match: HttpMatch) -> HttpMatch:
    """All conditions but the path; names change nothing."""
    return msgspec.structs.replace(match, uri=None, name="", stat_prefix="")


def _check_requests(config: Config, spec: VirtualService) -> Iterator[Message]:
    taken = _Taken()
    for index, rule in enumerate(spec.http):
        at: Path = ("spec", "http", index)
        # Where the earlier rule has no conditions at all, the object's own validation has said so.
        earlier = [taken.by(match) for match in rule.match]
        hidden = [number for number, by in enumerate(earlier) if by is not None]
        if hidden and len(hidden) == len(rule.match):
            text = f"rule {earlier[hidden[0]]} takes every request that this rule is for"
            yield Message(config.ref, at, "rule-unreachable", text)
        else:
            for number in hidden:
                text = f"rule {earlier[number]} takes every request that this match is for"
                yield Message(config.ref, (*at, "match", number), "match-ineffective", text)
        # What is handed on may come back: the delegate's rules are narrower.
        for match in rule.match if rule.delegate is None else ():
            taken.add(match, index)


def _check_streams(config: Config, name: str, rules: Sequence[Sequence[msgspec.Struct]]) -> Iterator[Message]:
    """Of rules under `tls` and `tcp`: equal matches, and any after one without conditions."""
    seen: dict[msgspec.Struct, int] = {}
    everything: int | None = None
    for index, matches in enumerate(rules):
        found = [seen.get(match) for match in matches]
        by = everything if everything is not None else found[0] if found and None not in found else None
        if by is not None:
            text = f"rule {by} takes every connection that this rule is for"
            yield Message(config.ref, ("spec", name, index), "rule-unreachable", text)
        for match in matches:
            seen.setdefault(match, index)
        if not matches and everything is None:
            everything = index


def _check_weights(config: Config, spec: VirtualService) -> Iterator[Message]:
    for placed in rules_of(spec):
        total = sum(each.weight for each in placed.targets)
        if len(placed.targets) > 1 and total not in (0, 100):
            text = f"the weights sum to {total}; each is a share of that"
            yield Message(config.ref, (*placed.path, "route"), "weights-odd", text)
