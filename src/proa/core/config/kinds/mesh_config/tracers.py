"""Whether what is said of collectors of spans is what an Envoy can send. The validator of MeshConfig asks."""

import re
from collections.abc import Iterator
from typing import Final

from proa.core.config.headers import header_name_fault, header_value_fault
from proa.core.config.kinds.mesh_config.schema import ExtensionProvider, HttpHeader
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten

_URL_PATH = re.compile(r"/[A-Za-z0-9/._~-]{0,500}", re.ASCII)
_ENVOYS_OWN: Final = frozenset(("host", "content-type", "content-length", "transfer-encoding", "te"))


def check_tracers(provider: ExtensionProvider, at: Path) -> Iterator[Finding]:
    otlp, zipkin = provider.opentelemetry, provider.zipkin
    if otlp is not None:
        place: Path = (*at, "opentelemetry")
        if otlp.http is not None and otlp.grpc is not None:
            yield Finding(place, "conflict", "http and grpc exclude each other; keep one")
        if otlp.http is not None:
            yield from _check_path(otlp.http.path, (*place, "http", "path"))
            yield from _check_headers(otlp.http.headers, (*place, "http", "headers"))
        if otlp.grpc is not None:
            yield from _check_headers(otlp.grpc.initial_metadata, (*place, "grpc", "initialMetadata"))
    if zipkin is not None:
        yield from _check_path(zipkin.path, (*at, "zipkin", "path"))
        yield from _check_headers(zipkin.headers, (*at, "zipkin", "headers"))


def _check_path(path: str, at: Path) -> Iterator[Finding]:
    if path and not _URL_PATH.fullmatch(path):
        yield Finding(at, "bad-value", f'"{shorten(path)}" is no path; it begins with a slash')


def _check_headers(headers: tuple[HttpHeader, ...], at: Path) -> Iterator[Finding]:
    """Values are sent as they are written: there is no request whose facts they could bear."""
    for index, header in enumerate(headers):
        place: Path = (*at, index)
        name = header.name.lower()
        if name and (fault := header_name_fault(name)):
            yield Finding((*place, "name"), "bad-value", fault)
        elif name.startswith(":") or name in _ENVOYS_OWN:
            message = f'"{shorten(name)}" is set by the proxy itself; remove it'
            yield Finding((*place, "name"), "bad-value", message)
        if "%" in header.value:
            message = "no operators stand in a report's header; write a value without %"
            yield Finding((*place, "value"), "bad-value", message)
        elif fault := header_value_fault(header.value):
            yield Finding((*place, "value"), "bad-value", fault)
