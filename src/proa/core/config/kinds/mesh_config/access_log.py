"""Whether what is said of the access log makes a log that Envoys can write. The validator of MeshConfig asks."""

import math
from collections.abc import Iterator

from google.protobuf.json_format import Parse, ParseError
from google.protobuf.struct_pb2 import Struct, Value

from proa.core.config.kinds.mesh_config.schema import ExtensionProvider, FileLog, MeshConfig
from proa.core.config.operators import operators_fault
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)
DEEPEST = 20
"""Objects within objects of a JSON format. Envoy reads no message that is a hundred deep, and each object is three."""


def check_access_log(spec: MeshConfig) -> Iterator[Finding]:
    file = spec.access_log_file or ""
    if file and not file.startswith("/"):
        message = f'"{shorten(file)}" is no absolute path; write one, or /dev/stdout'
        yield Finding((*SPEC, "accessLogFile"), "bad-value", message)
    if spec.access_log_encoding == "JSON" and spec.access_log_format:
        fault = _fault_of_object(spec.access_log_format)
    else:
        fault = operators_fault(spec.access_log_format, of_operator=True)
    if fault:
        yield Finding((*SPEC, "accessLogFormat"), "bad-value", fault)


def check_formats(provider: ExtensionProvider, at: Path) -> Iterator[Finding]:
    """Of a provider that writes lines."""
    file, otel = provider.envoy_file_access_log, provider.envoy_otel_als
    if file is not None:
        yield from _check_file(file, (*at, "envoyFileAccessLog"))
    if otel is not None and otel.log_format is not None:
        form: Path = (*at, "envoyOtelAls", "logFormat")
        if fault := operators_fault(otel.log_format.text, of_operator=True):
            yield Finding((*form, "text"), "bad-value", fault)
        for name, text in otel.log_format.labels.items():
            if fault := operators_fault(text, of_operator=True):
                yield Finding((*form, "labels", name), "bad-value", fault)


def _check_file(file: FileLog, at: Path) -> Iterator[Finding]:
    if file.path and not file.path.startswith("/"):
        message = f'"{shorten(file.path)}" is no absolute path; write one, or /dev/stdout'
        yield Finding((*at, "path"), "bad-value", message)
    form = file.log_format
    if form is None:
        return
    if form.text and form.labels:
        yield Finding((*at, "logFormat"), "conflict", "text and labels exclude each other; keep one")
    if fault := operators_fault(form.text, of_operator=True):
        yield Finding((*at, "logFormat", "text"), "bad-value", fault)
    if form.labels and (fault := _fault_of_object(form.labels)):
        yield Finding((*at, "logFormat", "labels"), "bad-value", fault)


def _fault_of_object(text: str) -> str | None:
    try:
        # As the translation reads it.
        form = Parse(text, Struct())
    except (ParseError, ValueError, RecursionError):
        return "with the encoding JSON the format must be a JSON object, each name once"
    return next(_faults(Value(struct_value=form), DEEPEST), None)


def _faults(value: Value, left: int) -> Iterator[str]:
    """Of all texts in it; operators in names are none."""
    if left < 0:
        yield f"the format is too deep; write at most {DEEPEST} objects within each other"
        return
    match value.WhichOneof("kind"):
        case "string_value":
            fault = operators_fault(value.string_value, of_operator=True)
            if fault:
                yield fault
        case "number_value":
            if not math.isfinite(value.number_value):
                yield "a number of the format is too large; write it as a text"
        case "struct_value":
            for _, each in sorted(value.struct_value.fields.items()):
                yield from _faults(each, left - 1)
        case "list_value":
            for each in value.list_value.values:
                yield from _faults(each, left - 1)
        case _:
            pass
