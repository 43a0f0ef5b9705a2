import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.adapters.policy.stdio.lines import Lines
from proa.core.attributes.value_types import Span, Timestamp, Value
from proa.core.config.mixer.parameters import Stdio
from proa.core.mixer.templates import Instance
from proa.testing.mixer import mixer_config

NOW = Timestamp(1_537_044_396_009_801_999)


def entry(variables: dict[str, Value] | None = None, severity: str = "", **more: Value) -> Instance:
    fields = {**more, **({"severity": severity} if severity else {})}
    named = Map(variables or {})
    return Instance(
        name="newlog.logentry.istio-system", template="logentry", fields=Map(fields, variables=named)
    )


def lines(instance: Instance, parameters: Stdio | None = None) -> str:
    return Lines(parameters or Stdio(), lambda: NOW).of((instance,)).decode()


def test_the_line_of_the_task_of_2018() -> None:
    """Whose handler says `severity_levels: {warning: 1}`."""
    spec = {"severity_levels": {"warning": 1}, "outputAsJson": True}
    parameters = mixer_config("stdio", "newhandler", spec).spec
    assert isinstance(parameters, Stdio)
    variables: dict[str, Value] = {
        "source": "productpage",
        "user": "unknown",
        "destination": "details",
        "responseCode": 200,
        "responseSize": 178,
        "latency": Span(13_601_485),
    }
    said = entry(variables, "warning", timestamp=Timestamp(NOW.nanoseconds))
    assert lines(said, parameters) == (
        '{"level":"warn","time":"2018-09-15T20:46:36.009801Z","instance":"newlog.logentry.istio-system",'
        '"destination":"details","latency":"13.601485ms","responseCode":200,"responseSize":178,'
        '"source":"productpage","user":"unknown"}\n'
    )


def test_values_are_what_they_are() -> None:
    values: dict[str, Value] = {
        "a": 1.5,
        "b": True,
        "c": b"\x0a\x00\x00\x01",
        "d": Timestamp(0),
        "e": Map(y="2", x="1"),
        "f": float("inf"),
        "level": "a variable of that name",
    }
    said = json.loads(lines(entry(values)))
    assert said == {
        "level": "info",
        "time": "2018-09-15T20:46:36.009801Z",
        "instance": "newlog.logentry.istio-system",
        "a": 1.5,
        "b": True,
        "c": "10.0.0.1",
        "d": "1970-01-01T00:00:00.000000Z",
        "e": {"x": "1", "y": "2"},
        "f": "inf",
        "level_": "a variable of that name",
    }


def test_a_metric_is_its_value_and_dimensions() -> None:
    metric = Instance(
        name="requestcount.metric.istio-system",
        template="metric",
        fields=Map(value=1, dimensions=Map(response_code=200)),
    )
    assert json.loads(lines(metric, Stdio(metric_level="WARNING"))) == {
        "level": "warn",
        "time": "2018-09-15T20:46:36.009801Z",
        "instance": "requestcount.metric.istio-system",
        "value": 1,
        "response_code": 200,
    }


def test_a_line_for_people() -> None:
    parameters = Stdio(output_as_json=False)
    assert lines(entry({"b": "two words", "a": 1}, "ERROR"), parameters) == (
        '2018-09-15T20:46:36.009801Z\terror\tnewlog.logentry.istio-system\t{"a":1,"b":"two words"}\n'
    )
    assert lines(entry(), parameters) == "2018-09-15T20:46:36.009801Z\tinfo\tnewlog.logentry.istio-system\n"


@pytest.mark.parametrize(
    ("severity", "level"),
    [("FATAL", "error"), ("err", "error"), ("warn", "warn"), ("Informational", "info"), ("odd", "info")],
)
def test_severities_have_levels_of_their_own(severity: str, level: str) -> None:
    assert json.loads(lines(entry({}, severity)))["level"] == level


def test_the_handler_adds_severities_and_leaves_out_what_is_low() -> None:
    parameters = Stdio(severity_levels=Map(odd="ERROR", fatal="INFO"), output_level="WARNING")
    written = [lines(entry({}, severity), parameters) for severity in ("odd", "fatal", "warning", "info", "")]
    assert [json.loads(line)["level"] if line else "" for line in written] == ["error", "", "warn", "", ""]


@given(
    st.dictionaries(st.text(max_size=5), st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1)), max_size=4)
)
def test_whatever_is_told_is_one_line_that_can_be_read_back(variables: dict[str, str | int]) -> None:
    for is_json in (True, False):
        line = lines(entry(dict(variables)), Stdio(output_as_json=is_json))
        assert line.endswith("\n")
        assert line.count("\n") == 1
        text = line if is_json else line.split("\t", 3)[3] if variables else "{}"
        told = json.loads(text)
        assert {name: told.get(f"{name}_", told.get(name)) for name in variables} == variables


def test_half_a_character_is_escaped() -> None:
    assert json.loads(lines(entry({"a": "\ud800"})))["a"] == "\ud800"
