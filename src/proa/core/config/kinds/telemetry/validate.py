"""Whether a Telemetry makes sense: Istio's rules for its fields. Called through the kinds table."""

import re
from collections.abc import Iterator
from typing import Final

from proa.core.config.cel import cel_fault
from proa.core.config.headers import header_name_fault
from proa.core.config.kinds.telemetry.schema import CustomTag, MetricsOverride, Telemetry, Tracing
from proa.core.config.meta import Meta
from proa.core.config.operators import operators_fault
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.selection import check_selection
from proa.core.config.tree import shorten
from proa.core.model.metering import REMOVED, ROW

SPEC: Path = ("spec",)
RESERVED: Final = ("le", "quantile", ROW, REMOVED)
LIST: Final = ", ".join(RESERVED)
_LABEL: Final = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]{0,100}", re.ASCII)


def validate(spec: Telemetry, meta: Meta) -> Iterator[Finding]:
    yield from check_selection(
        spec.selector, spec.target_ref, spec.target_refs, meta.namespace, gateways=True
    )
    for index, tracing in enumerate(spec.tracing):
        yield from _check_tracing(tracing, (*SPEC, "tracing", index))
    for index, metrics in enumerate(spec.metrics):
        for number, override in enumerate(metrics.overrides):
            yield from _check_override(override, (*SPEC, "metrics", index, "overrides", number))
    for index, logging in enumerate(spec.access_logging):
        if logging.filter is not None and not logging.filter.expression.strip():
            at = (*SPEC, "accessLogging", index, "filter", "expression")
            yield Finding(at, "required", "a filter needs an expression; write it or remove the filter")
        elif logging.filter is not None and (fault := cel_fault(logging.filter.expression)):
            yield Finding((*SPEC, "accessLogging", index, "filter", "expression"), "bad-value", fault)


def _check_tracing(tracing: Tracing, at: Path) -> Iterator[Finding]:
    if len(tracing.providers) > 1:
        message = "spans go to one provider; keep one"
        yield Finding((*at, "providers"), "conflict", message)
    for name, tag in tracing.custom_tags.items():
        place = (*at, "customTags", name)
        if not name:
            yield Finding(place, "required", "a tag needs a name; write it")
        yield from _check_tag(tag, place)
        if tag.formatter is not None and (fault := operators_fault(tag.formatter.value)):
            yield Finding((*place, "formatter", "value"), "bad-value", fault)
        if tag.header is not None and tag.header.name and (fault := header_name_fault(tag.header.name)):
            yield Finding((*place, "header", "name"), "bad-value", fault)


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
    for name, tag in override.tag_overrides.items():
        place = (*at, "tagOverrides", name)
        if not _LABEL.fullmatch(name) or name in RESERVED:
            message = (
                f'"{shorten(name)}" cannot be a label; write letters, digits and underscores, and no {LIST}'
            )
            yield Finding(place, "bad-value", message)
        elif tag.operation == "UPSERT" and tag.value and (fault := cel_fault(tag.value)):
            yield Finding((*place, "value"), "bad-value", fault)
        if tag.operation == "UPSERT" and not tag.value:
            message = "a value must be set when the operation is UPSERT; write it, or choose REMOVE"
            yield Finding((*place, "value"), "required", message)
        if tag.operation == "REMOVE" and tag.value:
            message = "a value must not be set when the operation is REMOVE; remove it"
            yield Finding((*place, "value"), "conflict", message)
