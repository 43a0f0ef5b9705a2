"""Whether the filters of a rule or of a backend make sense. Called by `routes` and `rules`."""

import re
from collections.abc import Iterable, Iterator

from proa.core.config.gateway_api.check.references import check_target
from proa.core.config.gateway_api.schema import (
    Cors,
    Filter,
    HeaderModifier,
    PathModifier,
    RequestMirror,
)
from proa.core.config.hostnames import name_fault
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten

FILTERS = {
    "RequestHeaderModifier": "requestHeaderModifier",
    "ResponseHeaderModifier": "responseHeaderModifier",
    "RequestMirror": "requestMirror",
    "RequestRedirect": "requestRedirect",
    "URLRewrite": "urlRewrite",
    "CORS": "cors",
}
LATER_FILTERS = ("ExternalAuth", "ExtensionRef")
OF_BACKENDS = ("RequestHeaderModifier", "ResponseHeaderModifier")
OF_GRPC = (*OF_BACKENDS, "RequestMirror")
REDIRECTS = (301, 302, 303, 307, 308)
_ORIGIN = re.compile(r"https?://(\*|(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:(\*|[0-9]{1,5}))?")


def check_filters(
    filters: Iterable[Filter], at: Path, known: tuple[str, ...], owner: str
) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, each in enumerate(filters):
        here = (*at, index)
        if each.type in LATER_FILTERS or (each.type in FILTERS and each.type not in known):
            message = f"the filter {each.type} is not supported yet in {owner}; remove it"
            yield Finding((*here, "type"), "not-supported-yet", message)
            continue
        if each.type not in FILTERS:
            hint = suggestion(each.type, known) or f"; write one of {', '.join(known)}"
            yield Finding((*here, "type"), "bad-value", f'there is no filter "{shorten(each.type)}"{hint}')
            continue
        if each.type in seen and each.type != "RequestMirror":
            message = f"there is one {each.type} already; put both together"
            yield Finding((*here, "type"), "duplicate", message)
        seen.add(each.type)
        yield from _check_filter(each, here)


def _check_filter(each: Filter, at: Path) -> Iterator[Finding]:
    parts = {
        "requestHeaderModifier": each.request_header_modifier,
        "responseHeaderModifier": each.response_header_modifier,
        "requestMirror": each.request_mirror,
        "requestRedirect": each.request_redirect,
        "urlRewrite": each.url_rewrite,
        "cors": each.cors,
    }
    wanted = FILTERS[each.type]
    if parts[wanted] is None:
        yield Finding((*at, wanted), "required", f"a filter of type {each.type} needs {wanted}; add it")
    for name, part in parts.items():
        if part is not None and name != wanted:
            yield Finding((*at, name), "conflict", f"{name} is not of the type {each.type}; remove one")
    for name in ("requestHeaderModifier", "responseHeaderModifier"):
        modifier = parts[name]
        if isinstance(modifier, HeaderModifier):
            yield from _check_modifier(modifier, (*at, name))
    if each.request_mirror is not None:
        yield from _check_mirror(each.request_mirror, (*at, "requestMirror"))
    path, name = path_of(each)
    if path is not None:
        yield from _check_path(path, (*at, name, "path"))
    for name, part in (("requestRedirect", each.request_redirect), ("urlRewrite", each.url_rewrite)):
        if part is not None and part.hostname and (fault := name_fault(part.hostname)):
            yield Finding((*at, name, "hostname"), "bad-value", fault)
    if each.request_redirect is not None and each.request_redirect.status_code not in REDIRECTS:
        message = f"write one of {', '.join(map(str, REDIRECTS))}"
        yield Finding((*at, "requestRedirect", "statusCode"), "bad-value", message)
    if each.cors is not None:
        yield from _check_cors(each.cors, (*at, "cors"))


def path_of(each: Filter) -> tuple[PathModifier | None, str]:
    if each.request_redirect is not None:
        return each.request_redirect.path, "requestRedirect"
    return (each.url_rewrite.path, "urlRewrite") if each.url_rewrite is not None else (None, "")


def _check_path(path: PathModifier, at: Path) -> Iterator[Finding]:
    given = {"ReplaceFullPath": path.replace_full_path, "ReplacePrefixMatch": path.replace_prefix_match}
    fields = {"ReplaceFullPath": "replaceFullPath", "ReplacePrefixMatch": "replacePrefixMatch"}
    for name, value in given.items():
        if (value is not None) != (name == path.type):
            word = "needs" if name == path.type else "excludes"
            yield Finding((*at, fields[name]), "conflict", f"type {path.type} {word} {fields[name]}")
        elif value and not value.startswith("/"):
            yield Finding((*at, fields[name]), "bad-value", "a path begins with a slash; write it")


def _check_modifier(modifier: HeaderModifier, at: Path) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    entries = [("set", index, each.name) for index, each in enumerate(modifier.set)]
    entries += [("add", index, each.name) for index, each in enumerate(modifier.add)]
    entries += [("remove", index, name) for index, name in enumerate(modifier.remove)]
    for verb, index, name in entries:
        if (first := seen.setdefault(name.lower(), verb)) != verb or (
            name.lower()
            in [other.lower() for kind, before, other in entries if kind == verb and before < index]
        ):
            message = f"the header {shorten(name)} stands under {first} already; keep one"
            yield Finding((*at, verb, index), "duplicate", message)


def _check_mirror(mirror: RequestMirror, at: Path) -> Iterator[Finding]:
    yield from check_target(mirror.backend_ref, (*at, "backendRef"))
    fraction = mirror.fraction
    if fraction is not None and mirror.percent is not None:
        yield Finding((*at, "percent"), "conflict", "percent and fraction exclude each other; keep one")
    if fraction is not None and fraction.numerator > fraction.denominator:
        message = "a fraction is at most one; make the numerator smaller"
        yield Finding((*at, "fraction", "numerator"), "out-of-range", message)


def _check_cors(cors: Cors, at: Path) -> Iterator[Finding]:
    for index, origin in enumerate(cors.allow_origins):
        if origin != "*" and (not _ORIGIN.fullmatch(origin) or ":*" in origin.partition("//")[2]):
            message = f'"{shorten(origin)}" is no origin; write *, or scheme://host with an optional port'
            yield Finding((*at, "allowOrigins", index), "bad-value", message)
    if "*" in cors.allow_headers and cors.allow_credentials:
        message = "with credentials no browser takes * for all headers; name them"
        yield Finding((*at, "allowHeaders"), "conflict", message)
