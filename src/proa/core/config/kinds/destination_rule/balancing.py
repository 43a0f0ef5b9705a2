"""Whether a load balancer makes sense. Called by this kind's validator."""

from collections.abc import Iterator

from proa.core.config.headers import header_name_fault
from proa.core.config.kinds.destination_rule.schema import ConsistentHash, HttpCookie, LoadBalancer
from proa.core.config.locality import check_locality
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning


def check_load_balancer(spec: LoadBalancer, at: Path, *, ejects: bool) -> Iterator[Finding]:
    """`ejects`: whether outlierDetection holds beside it."""
    if spec.consistent_hash is not None and spec.simple != "UNSPECIFIED":
        yield Finding(at, "conflict", "simple and consistentHash exclude each other; keep one")
    if spec.simple == "LEAST_CONN":
        message = "LEAST_CONN is the old name; write LEAST_REQUEST"
        yield warning((*at, "simple"), "deprecated", message)
    if spec.consistent_hash is not None:
        yield from _check_hash(spec.consistent_hash, (*at, "consistentHash"))
    if spec.locality_lb_setting is not None:
        yield from check_locality(spec.locality_lb_setting, (*at, "localityLbSetting"), ejects=ejects)
    yield from _check_warmup(spec, at)


def _check_warmup(spec: LoadBalancer, at: Path) -> Iterator[Finding]:
    if spec.warmup_duration_secs is not None:
        place = (*at, "warmupDurationSecs")
        if spec.warmup is not None:
            yield warning(place, "no-effect", "warmup wins over the old warmupDurationSecs; remove it")
        else:
            yield warning(
                place, "deprecated", "warmupDurationSecs is the old name; write warmup with a duration"
            )
    warms = spec.warmup is not None or spec.warmup_duration_secs is not None
    if warms and (spec.consistent_hash is not None or spec.simple == "RANDOM"):
        name = "consistentHash" if spec.consistent_hash is not None else spec.simple
        message = f"nothing warms up with {name}; choose ROUND_ROBIN or LEAST_REQUEST"
        yield Finding((*at, "warmup"), "conflict", message)


def _check_hash(spec: ConsistentHash, at: Path) -> Iterator[Finding]:
    keys = {
        "httpHeaderName": bool(spec.http_header_name),
        "httpCookie": spec.http_cookie is not None,
        "useSourceIp": spec.use_source_ip,
        "httpQueryParameterName": bool(spec.http_query_parameter_name),
    }
    given = [name for name, is_given in keys.items() if is_given]
    if not given:
        yield Finding(at, "required", f"one of {', '.join(keys)} is required; add one")
    elif len(given) > 1:
        yield Finding(at, "conflict", f"{' and '.join(given)} exclude each other; keep one")
    if spec.http_header_name and (fault := header_name_fault(spec.http_header_name)):
        yield Finding((*at, "httpHeaderName"), "bad-value", fault)
    if spec.http_cookie is not None:
        yield from _check_cookie(spec.http_cookie, (*at, "httpCookie"))
    if spec.ring_hash is not None and spec.maglev is not None:
        yield Finding(at, "conflict", "ringHash and maglev exclude each other; keep one")
    if spec.minimum_ring_size:
        message = "minimumRingSize is the old place; write ringHash.minimumRingSize"
        yield warning((*at, "minimumRingSize"), "deprecated", message)
    size = spec.maglev.table_size if spec.maglev else 0
    if size and not _is_prime(size):
        yield Finding((*at, "maglev", "tableSize"), "bad-value", f"{size} is no prime; write one, like 65537")


def _check_cookie(cookie: HttpCookie, at: Path) -> Iterator[Finding]:
    if not cookie.name:
        yield Finding((*at, "name"), "required", "a cookie needs a name; write it")
    if cookie.ttl is None and (cookie.path or cookie.attributes):
        message = "without ttl no cookie is made, and a path or attributes have nothing to stand in; add ttl"
        yield warning(at, "no-effect", message)
    for index, attribute in enumerate(cookie.attributes):
        if not attribute.name:
            yield Finding(
                (*at, "attributes", index, "name"), "required", "an attribute needs a name; write it"
            )


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % factor for factor in range(2, int(number**0.5) + 1))
