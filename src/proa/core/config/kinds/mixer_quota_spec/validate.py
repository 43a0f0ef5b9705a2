"""Whether QuotaSpec and QuotaSpecBinding make sense. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.istio_service import check_named, check_service
from proa.core.config.kinds.mixer_quota_spec.schema import QuotaRule, QuotaSpec, QuotaSpecBinding
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.regex import regex_fault


def validate_spec(spec: QuotaSpec, _meta: Meta) -> Iterator[Finding]:
    for index, rule in enumerate(spec.rules):
        yield from _check_rule(rule, ("spec", "rules", index))


def _check_rule(rule: QuotaRule, at: Path) -> Iterator[Finding]:
    for index, match in enumerate(rule.match):
        place = (*at, "match", index, "clause")
        if not match.clause:
            yield Finding(place, "required", "a match needs attributes; write them or remove the match")
        for name, text in match.clause.items():
            given = [value for value in (text.exact, text.prefix, text.regex) if value is not None]
            if len(given) != 1:
                code = "conflict" if given else "required"
                yield Finding((*place, name), code, "a match has one of exact, prefix and regex; write one")
            if text.regex is not None and (fault := regex_fault(text.regex)):
                yield Finding((*place, name, "regex"), *fault)
    for index, quota in enumerate(rule.quotas):
        if quota.charge <= 0:
            yield Finding(
                (*at, "quotas", index, "charge"), "out-of-range", "a charge is at least 1; write that"
            )


def validate_binding(spec: QuotaSpecBinding, _meta: Meta) -> Iterator[Finding]:
    for index, service in enumerate(spec.services):
        yield from check_service(service, ("spec", "services", index))
    for index, named in enumerate(spec.quota_specs):
        yield from check_named(named, ("spec", "quotaSpecs", index))
