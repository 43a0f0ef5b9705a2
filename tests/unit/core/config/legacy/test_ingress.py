"""Paths and their order; whole files are golden cases."""

import pytest

from proa.core.config.legacy.ingress import convert_ingress, is_ours
from proa.core.config.legacy.ingress_schema import (
    Backend,
    BackendService,
    HttpPath,
    HttpRules,
    Ingress,
    IngressHostRule,
    IngressTls,
)
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef

REF = ObjectRef("Ingress", "default", "i")
UI = Backend(service=BackendService(name="ui"))


def http(*paths: HttpPath, default: Backend | None = None) -> list[Json]:
    spec = Ingress(rules=(IngressHostRule(http=HttpRules(paths=paths)),), default_backend=default)
    rules = convert_ingress(REF, spec)[1].spec["http"]
    assert isinstance(rules, list)
    return rules


@pytest.mark.parametrize(
    ("path", "path_type", "match"),
    [
        ("/a", "", [{"uri": {"exact": "/a"}}]),
        ("/a/.*", "", [{"uri": {"prefix": "/a/"}}]),
        ("/a|/b", "ImplementationSpecific", [{"uri": {"regex": "/a|/b"}}]),
        ("/a.*/b.*", "", [{"uri": {"regex": "/a.*/b.*"}}]),
        ("/a.b", "Exact", [{"uri": {"exact": "/a.b"}}]),
        ("/a", "Prefix", [{"uri": {"exact": "/a"}}, {"uri": {"prefix": "/a/"}}]),
        ("/a/", "Prefix", [{"uri": {"exact": "/a"}}, {"uri": {"prefix": "/a/"}}]),
        ("/", "Prefix", [{"uri": {"prefix": "/"}}]),
    ],
)
def test_paths(path: str, path_type: str, match: Json) -> None:
    (rule,) = http(HttpPath(path=path, path_type=path_type, backend=UI))
    assert isinstance(rule, dict)
    assert rule["match"] == match


def test_no_path_is_every_path_and_the_default_is_last() -> None:
    rest = Backend(service=BackendService(name="rest"))
    rules = http(HttpPath(backend=UI), default=rest)
    assert rules == [
        {"route": [{"destination": {"host": "ui"}, "weight": 100}]},
        {"route": [{"destination": {"host": "rest"}, "weight": 100}]},
    ]


def test_tls_is_a_server_of_its_own() -> None:
    spec = Ingress(default_backend=UI, tls=(IngressTls(hosts=("a.com",), secret_name="s"),))
    servers = convert_ingress(REF, spec)[0].spec["servers"]
    assert isinstance(servers, list)
    assert servers[0] == {
        "hosts": ["a.com"],
        "port": {"name": "https-ingress-443-0", "number": 443, "protocol": "HTTPS"},
        "tls": {"mode": "SIMPLE", "credentialName": "s"},
    }


def test_classes() -> None:
    assert is_ours("", None)
    assert is_ours("nginx", "istio"), "the annotation is older and wins"
    assert not is_ours("nginx", None)
