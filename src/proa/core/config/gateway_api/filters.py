"""Filters of a rule and of its backends as fields of a VirtualService's rule."""

import re
from collections.abc import Iterable

from proa.core.config.gateway_api.schema import Cors, Filter, HeaderModifier, PathModifier, RequestRedirect
from proa.core.config.tree import Json

WELL_KNOWN_PORTS = {"http": 80, "https": 443}
_METHODS: list[Json] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"]
_LABELS = r"[A-Za-z0-9.-]+"


def header_edits(filters: Iterable[Filter]) -> Json:
    """`headers` of a rule or of one of its destinations; None when nothing is changed."""
    edits: dict[str, Json] = {}
    for each in filters:
        if each.request_header_modifier is not None:
            edits["request"] = _operations(each.request_header_modifier)
        if each.response_header_modifier is not None:
            edits["response"] = _operations(each.response_header_modifier)
    return edits or None


def _operations(modifier: HeaderModifier) -> Json:
    """Values are literal here, and may hold operators there: a percent sign is written twice."""
    operations: dict[str, Json] = {}
    for name, values in (("set", modifier.set), ("add", modifier.add)):
        if values:
            operations[name] = {each.name: each.value.replace("%", "%%") for each in values}
    if modifier.remove:
        operations["remove"] = list(modifier.remove)
    return operations


def redirect(spec: RequestRedirect, prefix: str | None, port: int | None, scheme: str = "http") -> Json:
    """`prefix` is what the path begins with, None when it matched otherwise; `port` and `scheme` the listener's, the
    former None where that is not known: among services."""
    found: dict[str, Json] = {"redirectCode": spec.status_code}
    if spec.scheme:
        found["scheme"] = spec.scheme
    if spec.hostname:
        found["authority"] = spec.hostname
    if spec.path is not None:
        found |= _redirected_path(spec.path, prefix)
    if spec.port is not None:
        if spec.port != WELL_KNOWN_PORTS.get(spec.scheme or scheme) or not spec.hostname:
            found["port"] = spec.port
    elif spec.scheme and not spec.hostname:
        # The host that was called may carry its port, and that is another scheme's.
        found["port"] = WELL_KNOWN_PORTS[spec.scheme]
    elif not spec.scheme and port != WELL_KNOWN_PORTS[scheme]:
        found["derivePort"] = "FROM_REQUEST_PORT"
    return found


def _redirected_path(path: PathModifier, prefix: str | None) -> dict[str, Json]:
    if path.replace_full_path is not None:
        return {"uri": path.replace_full_path or "/"}
    replaced = replaced_prefix(path.replace_prefix_match or "", prefix)
    return {"uri": replaced} if prefix is None else {"prefixRewrite": replaced}


def replaced_prefix(replacement: str, prefix: str | None) -> str:
    """What stands for the matched text: `/foo/` of `/foo/bar` must not lose the slash behind it, `/foo` alone (None)
    must not become nothing."""
    stem = replacement.rstrip("/")
    return f"{stem}/" if prefix is not None and prefix.endswith("/") else stem or "/"


def rewrite(path: PathModifier | None, hostname: str, prefix: str | None) -> Json:
    found: dict[str, Json] = {}
    if hostname:
        found["authority"] = hostname
    if path is not None and path.replace_full_path is not None:
        substitute = (path.replace_full_path or "/").replace("\\", "\\\\")
        found["uriRegexRewrite"] = {"match": "^/.*$", "rewrite": substitute}
    elif path is not None:
        found["uri"] = replaced_prefix(path.replace_prefix_match or "", prefix)
    return found


def cors(spec: Cors) -> Json:
    """With credentials no browser takes `*` for all methods: they are named one by one."""
    methods: list[Json] = list(spec.allow_methods)
    if "*" in spec.allow_methods and spec.allow_credentials:
        methods = _METHODS
    found: dict[str, Json] = {
        "allowOrigins": [_origin(each) for each in spec.allow_origins],
        "maxAge": f"{spec.max_age}s",
        "unmatchedPreflights": "IGNORE",
    }
    if methods:
        found["allowMethods"] = methods
    if spec.allow_headers:
        found["allowHeaders"] = list(spec.allow_headers)
    if spec.expose_headers:
        found["exposeHeaders"] = list(spec.expose_headers)
    if spec.allow_credentials:
        found["allowCredentials"] = True
    return found


def _origin(text: str) -> Json:
    if text == "*":
        return {"regex": ".*"}
    if "*" in text:
        return {"regex": _LABELS.join(re.escape(part) for part in text.split("*"))}
    return {"exact": text}
