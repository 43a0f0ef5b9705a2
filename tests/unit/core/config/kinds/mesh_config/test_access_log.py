"""Which formats of access logs are taken: those that an Envoy takes."""

import json

import pytest

from proa.core.config.kinds.mesh_config.access_log import DEEPEST, check_access_log
from proa.core.config.kinds.mesh_config.schema import MeshConfig


def faults(form: str, encoding: str | None = None) -> list[str]:
    spec = MeshConfig(access_log_format=form, access_log_encoding=encoding)  # type: ignore[arg-type]  # a word
    found = list(check_access_log(spec))
    assert all((each.path, each.code) == (("spec", "accessLogFormat"), "bad-value") for each in found)
    return [each.message for each in found]


def nested(depth: int) -> str:
    return '{"a":' * depth + '"b"' + "}" * depth


@pytest.mark.parametrize(
    "form",
    [
        "",
        "plain\n",
        "[%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%] %REQ(:METHOD)% 100%%\n",
        "%ENVIRONMENT(POD)%",
        '{"not": "judged as JSON without the encoding"}',
    ],
)
def test_texts(form: str) -> None:
    assert faults(form) == faults(form, "TEXT") == []


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("%PROTOCOLL%", "PROTOCOL"),
        ("100%", "%%"),
        ("%FILTER_STATE(a:JSON)%", "PLAIN"),
        ("%REQ(a b)%", "%REQ(a b)%"),
        ("%CEL(request.path)%", "no operator %CEL%"),
    ],
)
def test_an_operator_that_is_none_is_named(form: str, said: str) -> None:
    (in_text,) = faults(form)
    (in_json,) = faults(json.dumps({"a": [1, None, True, {"b": form}]}), "JSON")
    assert said in in_text
    assert in_json == in_text


@pytest.mark.parametrize(
    "form", ["{}", '{"%X%": 1}', '{"a": [1.5, null, {"b": "%DURATION%"}]}', nested(DEEPEST)]
)
def test_objects(form: str) -> None:
    assert faults(form, "JSON") == []


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("[]", "JSON object"),
        ("%PROTOCOL%", "JSON object"),
        ('{"a": "b", "a": "c"}', "each name once"),
        ('{"a": "\\ud800"}', "JSON object"),
        ('{"a": 1e999}', "too large"),
        (nested(DEEPEST + 1), "too deep"),
        (nested(5000), "JSON object"),
    ],
)
def test_what_cannot_be_read_as_an_object(form: str, said: str) -> None:
    assert [said in each for each in faults(form, "JSON")] == [True]


def test_files_have_absolute_paths() -> None:
    (found,) = check_access_log(MeshConfig(access_log_file="x"))
    assert found.path == ("spec", "accessLogFile")
    assert not list(check_access_log(MeshConfig(access_log_file="/dev/stdout")))
