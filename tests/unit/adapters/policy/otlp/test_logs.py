import pytest
from immutables import Map

from proa.adapters.policy.otlp.logs import Records
from proa.core.attributes.value_types import Span, Timestamp
from proa.core.config.mixer.own_parameters import Otlp, OtlpLog
from proa.core.mixer.templates import Field, Instance
from tests.otlp_receivers import attributes

NAME = "access.logentry.default"
NOW = 1_537_044_396_009_801_999
VARIABLES: Map[str, Field] = Map(line="GET /", code=200, latency=Span(13_600_000))


def test_variables_are_attributes_and_one_is_the_body() -> None:
    instance = Instance(
        name=NAME,
        template="logentry",
        fields=Map(variables=VARIABLES, severity="Warning", timestamp=Timestamp(5)),
    )
    record = Records(Otlp(logs=(OtlpLog(instance_name=NAME, body="line"),))).of(instance, NOW)
    assert (record.time_unix_nano, record.severity_number, record.severity_text) == (5, 13, "Warning")
    assert record.body.string_value == "GET /"
    assert attributes(record.attributes) == {"event.name": NAME, "code": 200, "latency": "13.6ms"}


def test_what_is_not_said() -> None:
    instance = Instance(name=NAME, template="logentry", fields=Map(variables=VARIABLES))
    record = Records(Otlp(logs=(OtlpLog(instance_name=NAME, body="odd"),))).of(instance, NOW)
    assert (record.time_unix_nano, record.severity_number, record.severity_text) == (NOW, 0, "")
    assert not record.HasField("body")
    assert attributes(record.attributes)["line"] == "GET /"


@pytest.mark.parametrize(("severity", "number"), [("INFO", 9), ("error", 17), ("Fatal", 21), ("odd", 0)])
def test_severities_have_numbers(severity: str, number: int) -> None:
    instance = Instance(name=NAME, template="logentry", fields=Map(severity=severity))
    assert Records(Otlp()).of(instance, NOW).severity_number == number
