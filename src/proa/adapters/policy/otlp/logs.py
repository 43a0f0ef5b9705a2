"""Log entries as records of OpenTelemetry. Variables are attributes, but the one that is the body."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from proa.adapters.policy.otlp.values import any_value, clean, key_values, pairs_of
from proa.core.attributes.value_types import Timestamp
from proa.core.config.mixer.own_parameters import Otlp
from proa.core.mixer.templates import Instance

EVENT: Final = "event.name"
_NUMBERS: Final[Mapping[str, SeverityNumber.ValueType]] = {
    "trace": SeverityNumber.SEVERITY_NUMBER_TRACE,
    "debug": SeverityNumber.SEVERITY_NUMBER_DEBUG,
    "default": SeverityNumber.SEVERITY_NUMBER_INFO,
    "info": SeverityNumber.SEVERITY_NUMBER_INFO,
    "informational": SeverityNumber.SEVERITY_NUMBER_INFO,
    "notice": SeverityNumber.SEVERITY_NUMBER_INFO2,
    "warn": SeverityNumber.SEVERITY_NUMBER_WARN,
    "warning": SeverityNumber.SEVERITY_NUMBER_WARN,
    "err": SeverityNumber.SEVERITY_NUMBER_ERROR,
    "error": SeverityNumber.SEVERITY_NUMBER_ERROR,
    "critical": SeverityNumber.SEVERITY_NUMBER_FATAL,
    "fatal": SeverityNumber.SEVERITY_NUMBER_FATAL,
}


class Records:
    """Of one handler."""

    def __init__(self, parameters: Otlp) -> None:
        self._bodies = {log.instance_name: log.body for log in parameters.logs if log.body}

    def of(self, instance: Instance, now: int) -> LogRecord:
        """`now`, in nanoseconds, is the time of an entry that says none. A severity that nobody knows has no number."""
        time, severity = instance.fields.get("timestamp"), instance.fields.get("severity")
        name = severity if isinstance(severity, str) else ""
        body = self._bodies.get(instance.name, "")
        variables = pairs_of(instance, "variables")
        return LogRecord(
            time_unix_nano=max(0, time.nanoseconds) if isinstance(time, Timestamp) else now,
            severity_number=_NUMBERS.get(name.lower(), SeverityNumber.SEVERITY_NUMBER_UNSPECIFIED),
            severity_text=clean(name),
            body=any_value(variables[body]) if body in variables else None,
            attributes=[
                KeyValue(key=EVENT, value=AnyValue(string_value=instance.name)),
                *key_values((key, value) for key, value in variables.items() if key != body),
            ],
        )
