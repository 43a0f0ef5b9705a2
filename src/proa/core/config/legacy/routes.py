"""One RouteRule as one HTTP rule of a VirtualService. What the fields of 2018 do not say is left to today's defaults.

`match.source` becomes labels and namespace of the client, which Pilot looks at when it configures the client's proxy.
"""

from collections.abc import Mapping

from proa.core.config.legacy.draft import SPEC, Draft, duration, raw
from proa.core.config.legacy.schema import (
    Abort,
    CorsPolicy,
    Delay,
    DestinationWeight,
    IstioService,
    MatchCondition,
    RouteRule,
)
from proa.core.config.legacy.services import source_labels, source_service, spelled_host, subset_name
from proa.core.config.path import Path
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef

RETRY_ON = "5xx,connect-failure,refused-stream"
"""When a proxy of 2018 tried again. Today's default leaves out answers with 5xx."""
_OWN_FIELDS = ("uri", "scheme", "method", "authority")


def http_rule(ref: ObjectRef, rule: RouteRule) -> Draft:
    draft = Draft(ref)
    if rule.match is not None:
        put_match(draft, rule.match, ref.namespace, (*SPEC, "match"))
    _put_route(draft, rule, ref.namespace)
    if rule.redirect is not None:
        draft.put(("redirect",), raw(rule.redirect), (*SPEC, "redirect"))
    if rule.rewrite is not None:
        draft.put(("rewrite",), raw(rule.rewrite), (*SPEC, "rewrite"))
    _put_patience(draft, rule)
    if rule.http_fault is not None:
        _put_fault(draft, rule.http_fault.delay, rule.http_fault.abort)
    if rule.mirror is not None:
        mirror = destination(rule.mirror, rule.mirror.labels, ref.namespace)
        draft.put(("mirror",), mirror, (*SPEC, "mirror"))
    if rule.cors_policy is not None:
        draft.put(("corsPolicy",), _cors(rule.cors_policy), (*SPEC, "corsPolicy"))
    if rule.append_headers:
        headers: Json = {name: rule.append_headers[name] for name in sorted(rule.append_headers)}
        draft.put(("headers",), {"request": {"add": headers}}, (*SPEC, "appendHeaders"))
    return draft


def put_match(draft: Draft, match: MatchCondition, namespace: str, old: Path) -> None:
    """The one block of conditions, if there is any."""
    at: Path = ("match", 0)
    block: dict[str, Json] = {}
    if match.source is not None:
        labels = source_labels(match.source, namespace)
        if labels:
            block["sourceLabels"] = {key: labels[key] for key in sorted(labels)}
            draft.note((*at, "sourceLabels"), (*old, "source"))
        service = source_service(match.source, namespace)
        if service and service[1]:
            block["sourceNamespace"] = service[1]
            draft.note((*at, "sourceNamespace"), (*old, "source"))
    headers = match.request.headers if match.request else {}
    old_headers = (*old, "request", "headers")
    for name in _OWN_FIELDS:
        if name in headers:
            block[name] = raw(headers[name])
            draft.note((*at, name), (*old_headers, name))
    real = {name: raw(headers[name]) for name in sorted(headers) if name not in _OWN_FIELDS}
    if real:
        block["headers"] = dict(real)
        draft.note((*at, "headers"), old_headers)
        for name in real:
            draft.note((*at, "headers", name), (*old_headers, name))
    if block:
        draft.put(("match",), [block], old)
        draft.note(at, old)


def _put_route(draft: Draft, rule: RouteRule, namespace: str) -> None:
    old = (*SPEC, "route")
    if rule.route:
        draft.put(("route",), [_weighted(rule, each, namespace) for each in rule.route], old)
        for index, each in enumerate(rule.route):
            draft.note(("route", index), (*old, index))
            draft.note(("route", index, "weight"), (*old, index, "weight"))
            to = (*old, index, "destination") if each.destination else (*SPEC, "destination")
            draft.note(("route", index, "destination"), to)
            draft.note(("route", index, "destination", "subset"), (*old, index, "labels"))
    elif rule.redirect is None:
        host = spelled_host(rule.destination, namespace)
        draft.put(("route",), [{"destination": {"host": host}, "weight": 100}], (*SPEC, "destination"))


def _weighted(rule: RouteRule, each: DestinationWeight, namespace: str) -> Json:
    to = each.destination or rule.destination
    weighted: dict[str, Json] = {"destination": destination(to, labels_of(each), namespace)}
    if each.weight:
        weighted["weight"] = each.weight
    return weighted


def labels_of(each: DestinationWeight) -> Mapping[str, str]:
    """The labels may stand beside the destination or in it."""
    return each.labels or (each.destination.labels if each.destination else {})


def destination(service: IstioService, labels: Mapping[str, str], namespace: str) -> dict[str, Json]:
    found: dict[str, Json] = {"host": spelled_host(service, namespace)}
    if labels:
        found["subset"] = subset_name(labels)
    return found


def _put_patience(draft: Draft, rule: RouteRule) -> None:
    if rule.http_req_timeout is not None and (simple := rule.http_req_timeout.simple_timeout):
        old: Path = (*SPEC, "httpReqTimeout", "simpleTimeout", "timeout")
        draft.put(("timeout",), duration(simple.timeout), old)
    if rule.http_req_retries is not None and (retry := rule.http_req_retries.simple_retry):
        old = (*SPEC, "httpReqRetries", "simpleRetry")
        draft.put(("retries", "attempts"), retry.attempts, (*old, "attempts"))
        if retry.per_try_timeout is not None:
            draft.put(("retries", "perTryTimeout"), duration(retry.per_try_timeout), (*old, "perTryTimeout"))
        if retry.attempts:
            draft.put(("retries", "retryOn"), RETRY_ON, old)
        draft.note(("retries",), old)


def _put_fault(draft: Draft, delay: Delay | None, abort: Abort | None) -> None:
    old = (*SPEC, "httpFault")
    draft.note(("fault",), old)
    if delay is not None:
        place: Path = (*old, "delay")
        draft.note(("fault", "delay"), place)
        _put_percent(draft, ("fault", "delay"), delay.percent, place)
        for name, spent in {
            "fixedDelay": delay.fixed_delay,
            "exponentialDelay": delay.exponential_delay,
        }.items():
            if spent is not None:
                draft.put(("fault", "delay", name), duration(spent), (*place, name))
    if abort is not None:
        place = (*old, "abort")
        draft.note(("fault", "abort"), place)
        _put_percent(draft, ("fault", "abort"), abort.percent, place)
        answers: dict[str, Json] = {
            "httpStatus": abort.http_status,
            "grpcStatus": abort.grpc_status or None,
            "http2Error": abort.http2_error or None,
        }
        for name, answer in answers.items():
            if answer is not None:
                draft.put(("fault", "abort", name), answer, (*place, name))


def _put_percent(draft: Draft, at: Path, percent: float, old: Path) -> None:
    """Whole percents in the old field, as the converter of 2018 has it; parts of one, which it cut off, in today's."""
    if percent and percent.is_integer():
        draft.put((*at, "percent"), int(percent), (*old, "percent"))
    elif percent:
        draft.put((*at, "percentage", "value"), percent, (*old, "percent"))


def _cors(policy: CorsPolicy) -> Json:
    written = raw(policy)
    assert isinstance(written, dict)
    if policy.max_age is not None:
        written["maxAge"] = duration(policy.max_age)
    return written
