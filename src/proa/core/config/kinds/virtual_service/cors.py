"""Whether a CORS policy makes sense. Called by this kind's validator."""

from collections.abc import Iterator

from proa.core.config.headers import header_name_fault
from proa.core.config.kinds.virtual_service.matching import check_string
from proa.core.config.kinds.virtual_service.schema import Cors
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*")
"""Those of RFC 9110 and 5789, and CORS's own for all."""


def check_cors(cors: Cors, at: Path) -> Iterator[Finding]:
    if cors.allow_origin:
        place = (*at, "allowOrigin")
        if cors.allow_origins:
            yield Finding(
                place, "conflict", "allowOrigin and allowOrigins exclude each other; keep the latter"
            )
        else:
            yield warning(
                place, "deprecated", "allowOrigin is the old spelling; write allowOrigins with exact"
            )
    for index, origin in enumerate(cors.allow_origins):
        yield from check_string(origin, (*at, "allowOrigins", index), may_be_empty=False)
    for index, method in enumerate(cors.allow_methods):
        if method not in METHODS:
            message = f'"{shorten(method)}" is no method; write one of {", ".join(METHODS)}'
            yield Finding((*at, "allowMethods", index), "bad-value", message)
    for name, headers in {"allowHeaders": cors.allow_headers, "exposeHeaders": cors.expose_headers}.items():
        for index, header in enumerate(headers):
            if fault := header_name_fault(header):
                yield Finding((*at, name, index), "bad-value", fault)
    if cors.max_age is not None and cors.max_age % 1000:
        yield warning((*at, "maxAge"), "no-effect", "browsers count in seconds; it is rounded up")
