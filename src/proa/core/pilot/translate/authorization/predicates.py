"""One term of a policy as a predicate of Envoy's matchers, or as what is known of it already.

True and False are for what needs no request to tell: ports, and what a raw stream does not have. An attribute that is
absent matches nothing, in Envoy as in the evaluator, so a negated term is a plain `not`.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Final, TypeAlias

import msgspec
from envoy.config.core.v3.address_pb2 import CidrRange
from envoy.extensions.matching.input_matchers.ip.v3.ip_pb2 import Ip
from envoy.extensions.matching.input_matchers.metadata.v3.metadata_pb2 import Metadata
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher as EnvoyRegex
from envoy.type.matcher.v3.string_pb2 import StringMatcher as EnvoyString
from envoy.type.matcher.v3.value_pb2 import ListMatcher, OrMatcher, ValueMatcher
from google.protobuf.message import Message
from xds.core.v3.extension_pb2 import TypedExtensionConfig
from xds.type.matcher.v3.matcher_pb2 import Matcher
from xds.type.matcher.v3.regex_pb2 import RegexMatcher
from xds.type.matcher.v3.string_pb2 import StringMatcher

from proa.core.auth.authorization.values import (
    ADDRESSES,
    HTTP_ONLY,
    OF_PEER,
    Action,
    Rule,
    Term,
    Terms,
    Value,
)
from proa.core.auth.spiffe import SCHEME
from proa.core.pilot.translate.authorization import inputs
from proa.core.pilot.translate.encode import pack, uint32

Predicate: TypeAlias = Matcher.MatcherList.Predicate
Decided: TypeAlias = Predicate | bool

_ANY: Final = (Value("present"),)
_SEGMENT: Final = "[^/]+"
_TEMPLATE: Final = re.compile(r"(\{\*\*?\})")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where policies are asked. `ports`: the numbers the port is known by. `has_peer`: whether mesh TLS ends here, so
    that there is a peer to speak of. `trust_domain`: the mesh's, under which the authority names workloads, and
    `aliases` its other names: namespaces, accounts and workloads are of these, whatever a partner's certificates
    say."""

    ports: tuple[int, ...]
    is_stream: bool = False
    has_peer: bool = True
    trust_domain: str
    aliases: tuple[str, ...] = ()

    @property
    def own(self) -> str:
        """How the ids of the mesh's own begin, for RE2."""
        names = sorted({self.trust_domain, *self.aliases})
        return f"{SCHEME}({'|'.join(map(re2_escape, names))})"


def rule_predicate(rule: Rule, action: Action, place: Place) -> Decided:
    if place.is_stream and action == "ALLOW" and any(term.attribute in HTTP_ONLY for term in rule.terms):
        return False
    return all_of(
        [
            any_of([terms_predicate(terms, action, place) for terms in rule.sources] or [True]),
            any_of([terms_predicate(terms, action, place) for terms in rule.operations] or [True]),
            terms_predicate(rule.conditions, action, place),
        ]
    )


def terms_predicate(terms: Terms, action: Action, place: Place) -> Decided:
    return all_of([term_predicate(term, action, place) for term in terms])


def term_predicate(term: Term, action: Action, place: Place) -> Decided:
    if place.is_stream and term.attribute in HTTP_ONLY:
        return True
    if term.attribute == "port":
        known = {str(port) for port in place.ports}
        return any(value.text in known for value in term.values) != term.negated
    if not place.has_peer and term.attribute in OF_PEER:
        return term.negated
    is_wide = (action != "ALLOW") != term.negated
    found = _any_value(term, is_wide, place) if term.values else False
    return negation(found) if term.negated else found


def all_of(parts: Iterable[Decided]) -> Decided:
    kept = _open(parts, decisive=False)
    if isinstance(kept, bool):
        return kept
    return kept[0] if len(kept) == 1 else Predicate(and_matcher=Predicate.PredicateList(predicate=kept))


def any_of(parts: Iterable[Decided]) -> Decided:
    kept = _open(parts, decisive=True)
    if isinstance(kept, bool):
        return kept
    return kept[0] if len(kept) == 1 else Predicate(or_matcher=Predicate.PredicateList(predicate=kept))


def _open(parts: Iterable[Decided], *, decisive: bool) -> list[Predicate] | bool:
    """The parts still to be asked, at least one; or what they come to without asking: one part that is `decisive`
    decides for all, and with none left it is the other way."""
    kept: list[Predicate] = []
    for part in parts:
        if part is decisive:
            return decisive
        if not isinstance(part, bool):
            kept.append(part)
    return kept or not decisive


def negation(part: Decided) -> Decided:
    return not part if isinstance(part, bool) else Predicate(not_matcher=part)


def _any_value(term: Term, is_wide: bool, place: Place) -> Decided:
    if term.attribute in ADDRESSES:
        return _within(inputs.ADDRESSES[term.attribute], term.values)
    match term.attribute:
        case "claim":
            path = (inputs.JWT_PAYLOAD, *term.key)
            return _told(inputs.metadata(inputs.JWT_FILTER, path), term.values, lists=True, texts=True)
        case "metadata":
            found = inputs.metadata(term.key[0], term.key[1:])
            return _told(found, term.values, lists=False, texts=True)
        case "metadata_list":
            found = inputs.metadata(term.key[0], term.key[1:])
            return _told(found, term.values, lists=True, texts=False)
        case _:
            return any_of(_text(term, value, is_wide, place) for value in term.values)


def _text(term: Term, value: Value, is_wide: bool, place: Place) -> Decided:
    match term.attribute:
        case "principal":
            return _matched(inputs.PEER, _principal(value))
        case "trust_domain":
            return _matched(inputs.PEER, _regex(f"{SCHEME}{_part(value, '[^/]')}(/.*)?"))
        case "namespace":
            text = _regex(f"{place.own}/ns/{_part(value, '[^/]')}/sa/[^/]+")
            return _matched(inputs.PEER, text)
        case "account":
            namespace, _, account = value.text.partition("/")
            text = _regex(f"{place.own}/ns/{re2_escape(namespace)}/sa/{re2_escape(account)}")
            return _matched(inputs.PEER, text)
        case "workload" | "workload_name":
            namespace = r"\.[^.]+" if term.attribute == "workload_name" else ""
            suffix = re2_escape(f".workload.{place.trust_domain}")
            name = _matched(inputs.PEER_WORKLOAD, _regex(f"{_part(value, '.')}{namespace}{suffix}"))
            # A partner's authority writes what names it likes into its certificates.
            return all_of([_matched(inputs.PEER, _regex(f"{place.own}/.*")), name])
        case "request_principal":
            return _request_principal(value)
        case "sni":
            return _matched(inputs.SNI, _plain(value))
        case "host":
            text = _plain(value)
            text.ignore_case = not text.HasField("safe_regex")
            return _matched(inputs.header(":authority"), text)
        case "method":
            return _matched(inputs.header(":method"), _plain(value))
        case "path":
            return _matched(inputs.state(inputs.PATH), _path(value))
        case "header":
            return _header(term.key[0], value, is_wide)
        case other:
            raise AssertionError(other)


def _matched(found: TypedExtensionConfig, text: StringMatcher) -> Predicate:
    return Predicate(single_predicate=Predicate.SinglePredicate(input=found, value_match=text))


def _custom(found: TypedExtensionConfig, name: str, config: Message) -> Predicate:
    matcher = TypedExtensionConfig(name=name, typed_config=pack(config))
    return Predicate(single_predicate=Predicate.SinglePredicate(input=found, custom_match=matcher))


def _regex(pattern: str) -> StringMatcher:
    return StringMatcher(safe_regex=RegexMatcher(google_re2=RegexMatcher.GoogleRE2(), regex=pattern))


def _plain(value: Value) -> StringMatcher:
    match value.shape:
        case "present":
            return _regex(".+")
        case "prefix":
            return StringMatcher(prefix=value.text)
        case "suffix":
            return StringMatcher(suffix=value.text)
        case _:
            return StringMatcher(exact=value.text)


def _principal(value: Value) -> StringMatcher:
    match value.shape:
        case "present":
            return _regex(f"{SCHEME}.+")
        case "suffix":
            return _regex(f"{SCHEME}.*{re2_escape(value.text)}")
        case "prefix":
            return StringMatcher(prefix=SCHEME + value.text)
        case _:
            return StringMatcher(exact=SCHEME + value.text)


def _part(value: Value, letter: str) -> str:
    """A value as one part of a longer text, made of such letters."""
    text = re2_escape(value.text)
    match value.shape:
        case "present":
            return f"{letter}+"
        case "prefix":
            return f"{text}{letter}*"
        case "suffix":
            return f"{letter}*{text}"
        case _:
            return text


def _request_principal(value: Value) -> Decided:
    """Issuer and subject must both be there, and an issuer is a URL: what was joined does not tell them apart."""
    somebody = all_of(
        _told(inputs.metadata(inputs.JWT_FILTER, (inputs.JWT_PAYLOAD, claim)), _ANY, lists=False, texts=True)
        for claim in ("iss", "sub")
    )
    if value.shape == "present":
        return somebody
    return all_of([_matched(inputs.state(inputs.REQUEST_PRINCIPAL), _plain(value)), somebody])


def _path(value: Value) -> StringMatcher:
    if value.shape != "template":
        return _plain(value)
    parts = (
        {"{*}": _SEGMENT, "{**}": ".*"}.get(part, re2_escape(part)) for part in _TEMPLATE.split(value.text)
    )
    return _regex("".join(parts))


def _header(name: str, value: Value, is_wide: bool) -> Predicate:
    found = inputs.header(name)
    if value.shape == "present":
        return _matched(found, _regex(".*"))
    if not is_wide:
        return _matched(found, _plain(value))
    begin, end = r"(.*,)?[ \t]*", r"[ \t]*(,.*)?"
    text = re2_escape(value.text)
    match value.shape:
        case "prefix":
            listed = _regex(f"{begin}{text}.*")
        case "suffix":
            listed = _regex(f".*{text}{end}")
        case _:
            listed = _regex(f"{begin}{text}{end}")
    both = any_of([_matched(found, _plain(value)), _matched(found, listed)])
    assert not isinstance(both, bool)
    return both


def _within(found: TypedExtensionConfig, values: tuple[Value, ...]) -> Predicate:
    ranges: list[CidrRange] = []
    for value in values:
        network = ip_network(value.text, strict=False)
        ranges.append(
            CidrRange(address_prefix=str(network.network_address), prefix_len=uint32(network.prefixlen))
        )
    return _custom(found, "envoy.matching.matchers.ip", Ip(cidr_ranges=ranges, stat_prefix="authz"))


def _told(found: TypedExtensionConfig, values: tuple[Value, ...], *, lists: bool, texts: bool) -> Predicate:
    ways: list[ValueMatcher] = []
    for value in values:
        text = ValueMatcher(string_match=_envoy_text(value))
        ways += [text] if texts else []
        ways += [ValueMatcher(list_match=ListMatcher(one_of=text))] if lists else []
    one = ways[0] if len(ways) == 1 else ValueMatcher(or_match=OrMatcher(value_matchers=ways))
    return _custom(found, "envoy.matching.matchers.metadata_matcher", Metadata(value=one))


def _envoy_text(value: Value) -> EnvoyString:
    match value.shape:
        case "present":
            return EnvoyString(safe_regex=EnvoyRegex(regex="(?s).+"))
        case "prefix":
            return EnvoyString(prefix=value.text)
        case "suffix":
            return EnvoyString(suffix=value.text)
        case _:
            return EnvoyString(exact=value.text)


_PLAIN_LETTERS: Final = re.compile(r"[A-Za-z0-9_/-]")


def re2_escape(text: str) -> str:
    """For RE2: whatever is not plainly a letter of itself is written as its number."""
    return "".join(map(_escaped, text))


def _escaped(letter: str) -> str:
    return letter if _PLAIN_LETTERS.match(letter) or not letter.isascii() else f"\\x{ord(letter):02x}"
