"""Whether HTTPAPISpec and HTTPAPISpecBinding make sense. Called through the kinds table."""

import re
from collections.abc import Iterator
from typing import Final

from proa.core.config.attribute_values import check_attributes
from proa.core.config.headers import header_name_fault
from proa.core.config.istio_service import check_named, check_service
from proa.core.config.kinds.mixer_api_spec.schema import ApiKey, ApiPattern, HttpApiSpec, HttpApiSpecBinding
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.regex import regex_fault
from proa.core.config.tree import shorten

_METHODS: Final = frozenset(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "*"]
)
_SEGMENT: Final = re.compile(r"\*|\*\*|[^{}*/]+|\{[A-Za-z_][\w.]*(=[^{}]+)?\}")


def validate_spec(spec: HttpApiSpec, _meta: Meta) -> Iterator[Finding]:
    yield from check_attributes(spec.attributes, ("spec", "attributes"))
    for index, pattern in enumerate(spec.patterns):
        yield from _check_pattern(pattern, ("spec", "patterns", index))
    for index, key in enumerate(spec.api_keys):
        yield from _check_key(key, ("spec", "apiKeys", index))


def _check_pattern(pattern: ApiPattern, at: Path) -> Iterator[Finding]:
    yield from check_attributes(pattern.attributes, (*at, "attributes"))
    if not pattern.http_method:
        yield Finding((*at, "httpMethod"), "required", "a pattern needs a method; write httpMethod")
    elif pattern.http_method.upper() not in _METHODS:
        message = f'"{shorten(pattern.http_method)}" is no method; write one of {", ".join(sorted(_METHODS))}'
        yield Finding((*at, "httpMethod"), "bad-value", message)
    if bool(pattern.uri_template) == bool(pattern.regex):
        code = "conflict" if pattern.regex else "required"
        yield Finding(at, code, "a pattern has one of uriTemplate and regex; write one")
    if pattern.uri_template and (fault := _template_fault(pattern.uri_template)):
        yield Finding((*at, "uriTemplate"), "bad-value", fault)
    if pattern.regex and (fault_of_regex := regex_fault(pattern.regex)):
        yield Finding((*at, "regex"), *fault_of_regex)


def _template_fault(template: str) -> str | None:
    """Segments are words, `*`, `**`, `{field}` and `{field=segments}`; behind `**` come words alone."""
    if not template.startswith("/"):
        return "a template begins with a slash; write it"
    path, _, _ = template[1:].partition(":")
    # A slash inside braces belongs to the field.
    segments = re.findall(r"(?:\{[^{}]*\}|[^/])+", path)
    many = False
    for segment in segments:
        if not _SEGMENT.fullmatch(segment):
            return f'"{shorten(segment)}" is no segment; write a word, *, **, {{field}} or {{field=segments}}'
        if many and ("*" in segment or "{" in segment):
            return "behind ** only words can stand; write ** last"
        many = many or "**" in segment
    return None


def _check_key(key: ApiKey, at: Path) -> Iterator[Finding]:
    given = [text for text in (key.query, key.header, key.cookie) if text]
    if len(given) != 1:
        code = "conflict" if given else "required"
        yield Finding(at, code, "a key is in one of query, header and cookie; write one")
    if key.header and (fault := header_name_fault(key.header)):
        yield Finding((*at, "header"), "bad-value", fault)


def validate_binding(spec: HttpApiSpecBinding, _meta: Meta) -> Iterator[Finding]:
    for index, service in enumerate(spec.services):
        yield from check_service(service, ("spec", "services", index))
    for index, named in enumerate(spec.api_specs):
        yield from check_named(named, ("spec", "apiSpecs", index))
