"""Whether a Telemetry makes sense: Istio's rules for its fields. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.kinds.telemetry.schema import CustomTag, MetricsOverride, Telemetry, Tracing
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.selection import check_selection

SPEC: Path = ("spec",)


def validate(spec: Telemetry, meta: Meta) -> Iterator[Finding]:
    yield from check_selection(spec.selector, spec.target_ref, spec.target_refs, meta.namespace)
    for index, tracing in enumerate(spec.tracing):
        yield from _check_tracing(tracing, (*SPEC, "tracing", index))
    for index, metrics in enumerate(spec.metrics):
        for number, override in enumerate(metrics.overrides):
            yield from _check_override(override, (*SPEC, "metrics", index, "overrides", number))
    for index, logging in enumerate(spec.access_logging):
        if logging.filter is not None and not logging.filter.expression.strip():
            at = (*SPEC, "accessLogging", index, "filter", "expression")
            yield Finding(at, "required", "a filter needs an expression; write it or remove the filter")


def _check_tracing(tracing: Tracing, at: Path) -> Iterator[Finding]:
    if len(tracing.providers) > 1:
        message = "spans go to one provider; keep one"
        yield Finding((*at, "providers"), "conflict", message)
    for name, tag in tracing.custom_tags.items():
        place = (*at, "customTags", name)
        if not name:
            yield Finding(place, "required", "a tag needs a name; write it")
        yield from _check_tag(tag, place)


def _check_tag(tag: CustomTag, at: Path) -> Iterator[Finding]:
    kinds = {
        "literal": tag.literal,
        "environment": tag.environment,
        "header": tag.header,
        "formatter": tag.formatter,
    }
    given = [name for name, value in kinds.items() if value is not None]
    if not given:
        yield Finding(at, "required", f"one of {', '.join(kinds)} is required; add one")
    elif len(given) > 1:
        yield Finding(at, "conflict", f"{' and '.join(given)} exclude each other; keep one")


def _check_override(override: MetricsOverride, at: Path) -> Iterator[Finding]:
    match = override.match
    if match is not None and match.metric is not None and match.custom_metric is not None:
        message = "metric and customMetric exclude each other; keep one"
        yield Finding((*at, "match"), "conflict", message)
    for name, tag in override.tag_overrides.items():
        place = (*at, "tagOverrides", name)
        if not name:
            yield Finding(place, "required", "a tag needs a name; write it")
        if tag.operation == "UPSERT" and not tag.value:
            message = "a value must be set when the operation is UPSERT; write it, or choose REMOVE"
            yield Finding((*place, "value"), "required", message)
        if tag.operation == "REMOVE" and tag.value:
            message = "a value must not be set when the operation is REMOVE; remove it"
            yield Finding((*place, "value"), "conflict", message)
