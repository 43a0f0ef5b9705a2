"""Whether changes to headers can be made. Called by this kind's validator."""

from collections.abc import Iterator

from proa.core.config.headers import header_name_fault, header_value_fault
from proa.core.config.kinds.virtual_service.schema import HeaderOperations, Headers
from proa.core.config.path import Path
from proa.core.config.problem import Finding

_HOST = ("host", ":authority")


def check_header_edits(headers: Headers, at: Path) -> Iterator[Finding]:
    if headers.request is not None:
        yield from _check_operations(headers.request, (*at, "request"), is_request=True)
    if headers.response is not None:
        yield from _check_operations(headers.response, (*at, "response"), is_request=False)


def _check_operations(spec: HeaderOperations, at: Path, *, is_request: bool) -> Iterator[Finding]:
    for way, pairs in {"set": spec.set, "add": spec.add}.items():
        for name, value in pairs.items():
            place = (*at, way, name)
            may_be_host = is_request and way == "set" and name.lower() in _HOST
            if not may_be_host and (fault := _name_fault(name)):
                yield Finding(place, "bad-value", fault)
            if fault := header_value_fault(value):
                yield Finding(place, "bad-value", fault)
            elif may_be_host and "%" in value:
                yield Finding(place, "bad-value", "a host is told as it stands; remove the operator")
    for index, name in enumerate(spec.remove):
        if fault := _name_fault(name):
            yield Finding((*at, "remove", index), "bad-value", fault)


def _name_fault(name: str) -> str | None:
    """Proxies keep the host and what begins with a colon to themselves."""
    if name.startswith(":") or name.lower() == "host":
        return (
            f'"{name}" is no header to add or remove; to tell another host, set it among the request headers'
        )
    return header_name_fault(name)
