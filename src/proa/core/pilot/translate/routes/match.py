"""Matches: Envoy's spelling of a request test."""

from envoy.config.route.v3.route_components_pb2 import HeaderMatcher, QueryParameterMatcher, RouteMatch
from envoy.type.matcher.v3.metadata_pb2 import MetadataMatcher
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from envoy.type.matcher.v3.value_pb2 import ListMatcher, OrMatcher, ValueMatcher

from proa.core.pilot.translate.encode import boolean
from proa.core.pilot.translate.filters.names import JWT, JWT_PAYLOAD
from proa.core.pilot.translate.routes.intents import ClaimMatch, FieldMatch, RequestMatch, TextMatch


def build_match(match: RequestMatch) -> RouteMatch:
    message = RouteMatch(
        headers=[_header(field) for field in match.headers],
        query_parameters=[_query(field) for field in match.query],
        dynamic_metadata=[_claim(claim) for claim in match.claims],
    )
    path = match.path or TextMatch(kind="prefix", value="/")
    match path.kind:
        case "exact":
            message.path = path.value
        case "prefix":
            message.prefix = path.value
        case "regex":
            message.safe_regex.CopyFrom(RegexMatcher(regex=path.value))
        case "present":
            message.prefix = "/"
    if match.ignore_case:
        message.case_sensitive.CopyFrom(boolean(False))
    return message


def string_matcher(text: TextMatch) -> StringMatcher:
    match text.kind:
        case "exact":
            return StringMatcher(exact=text.value)
        case "prefix":
            return StringMatcher(prefix=text.value)
        case _:
            return StringMatcher(safe_regex=RegexMatcher(regex=text.value))


def _header(field: FieldMatch) -> HeaderMatcher:
    if field.text.kind == "present":
        return HeaderMatcher(name=field.name, present_match=True, invert_match=field.invert)
    return HeaderMatcher(
        name=field.name,
        string_match=string_matcher(field.text),
        invert_match=field.invert,
        # "without x: y" holds for a request that has no x at all.
        treat_missing_header_as_empty=field.invert,
    )


def _query(field: FieldMatch) -> QueryParameterMatcher:
    if field.text.kind == "present":
        return QueryParameterMatcher(name=field.name, present_match=True)
    return QueryParameterMatcher(name=field.name, string_match=string_matcher(field.text))


def _claim(claim: ClaimMatch) -> MetadataMatcher:
    steps = [MetadataMatcher.PathSegment(key=step) for step in (JWT_PAYLOAD, *claim.path)]
    if claim.text.kind == "present":
        value = ValueMatcher(present_match=True)
    else:
        text = ValueMatcher(string_match=string_matcher(claim.text))
        value = ValueMatcher(
            or_match=OrMatcher(
                value_matchers=[text, ValueMatcher(list_match=ListMatcher(one_of=text))],
            )
        )
    return MetadataMatcher(filter=JWT, path=steps, value=value, invert=claim.invert)
