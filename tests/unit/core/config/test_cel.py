"""Which expressions proxies can answer. A real Envoy is asked in tests/mesh/test_telemetry.py."""

import pytest

from proa.core.config.cel import cel_fault

FINE = (
    "response.code >= 400",
    "request.method",
    "'a literal with \"quotes\" and (parentheses)'",
    "request.headers['x-a'] == \"b\" && !(response.code in [200, 201])",
    "has(request.headers.foo)",
    "request.path.startsWith('/a') ? 'a' : request.host.endsWith('b') ? 'b' : 'c'",
    "response.code >= 200 && response.code < 300 ? '2xx' : 'other'",
    "'x-a' in request.headers",
    "request.size / 1024 > 3 || size(request.path) == -1",
    "connection.mtls && upstream.uri_san_peer_certificate != ''",
    "request.headers.host.contains('x')",
)


@pytest.mark.parametrize("text", FINE)
def test_what_envoy_takes(text: str) -> None:
    assert cel_fault(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a value is missing"),
        ("response.code >", "a value is missing"),
        ("response.code >= 400)", "nothing is expected"),
        ("(response.code", '")" is missing'),
        ("request.nosuch", 'request has no "nosuch"'),
        ("node.metadata['a']", '"node" is not known'),
        ("upstream_peer.labels['app']", "is not known"),
        ("string(response.code)", "is not known"),
        ("request.method + 'x'", "joins no texts"),
        ("request.headers[x]", "in quotes"),
        ("request.method.reverse()", "is no method"),
        ("'unclosed", "is not understood"),
        ("'a)%b'", "would end it"),
        ("has(request)", '"." is missing'),
        ("request.method == 'a' 'b'", "nothing is expected"),
        ("(" * 40 + "1" + ")" * 40, "deeper"),
        ("'" + "x" * 3000 + "'", "longer"),
    ],
)
def test_what_it_does_not(text: str, why: str) -> None:
    assert why in (cel_fault(text) or "")
