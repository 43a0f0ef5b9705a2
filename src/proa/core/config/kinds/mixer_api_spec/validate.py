"""Whether HTTPAPISpec and HTTPAPISpecBinding make sense. Called through the kinds table."""

import re
from collections.abc import Iterator
from typing import Final

from proa.core.attributes.vocabulary import ATTRIBUTES, Producer
from proa.core.config.attribute_values import Attributes, check_attributes
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
_TOLD_BY_MESH: Final = frozenset(row.name for row in ATTRIBUTES if Producer.API_SPEC not in row.producers)
_OF_MESH: Final = ("source.", "destination.", "context.", "connection.")
_WORD: Final = re.compile(r"[^{}*/:]+")
_PLAIN: Final = re.compile(r"\*|\*\*|[^{}*/]+")
_SEGMENT: Final = re.compile(r"\*|\*\*|[^{}*/]+|\{[A-Za-z_][\w.]*(=[^{}]+)?\}")


def validate_spec(spec: HttpApiSpec, _meta: Meta) -> Iterator[Finding]:
    yield from _check_attributes(spec.attributes, ("spec", "attributes"))
    for index, pattern in enumerate(spec.patterns):
        yield from _check_pattern(pattern, ("spec", "patterns", index))
    for index, key in enumerate(spec.api_keys):
        yield from _check_key(key, ("spec", "apiKeys", index))


def _check_attributes(attributes: Attributes | None, at: Path) -> Iterator[Finding]:
    """What the mesh itself tells of a request, no spec tells: a rule about it would be about something else."""
    yield from check_attributes(attributes, at)
    for name in attributes.attributes if attributes else ():
        if name in _TOLD_BY_MESH or name.startswith(_OF_MESH):
            message = (
                f"the mesh itself tells {shorten(name)}; write api.* or an attribute of an attributemanifest"
            )
            yield Finding((*at, "attributes", name), "conflict", message)


def _check_pattern(pattern: ApiPattern, at: Path) -> Iterator[Finding]:
    yield from _check_attributes(pattern.attributes, (*at, "attributes"))
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
    path, colon, verb = template[1:].partition(":")
    if colon and not _WORD.fullmatch(verb):
        return f'"{shorten(verb)}" is no verb; write a word behind the colon, or remove it'
    # A slash inside braces belongs to the field.
    segments = re.findall(r"(?:\{[^{}]*\}|[^/])+", path)
    many = False
    for segment in segments:
        inside = segment.strip("{}").partition("=")[2].split("/") if "=" in segment else []
        if not _SEGMENT.fullmatch(segment) or not all(map(_PLAIN.fullmatch, inside)):
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
