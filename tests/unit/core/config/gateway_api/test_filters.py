import pytest

from proa.core.config.gateway_api.filters import cors, header_edits, redirect, replaced_prefix, rewrite
from proa.core.config.gateway_api.schema import (
    Cors,
    Filter,
    HeaderModifier,
    HeaderValue,
    PathModifier,
    RequestRedirect,
)


@pytest.mark.parametrize(
    ("replacement", "prefix", "result"),
    [
        ("/new", "/old/", "/new/"),
        ("/new/", None, "/new"),
        ("/", "/old/", "/"),
        ("/", None, "/"),
        ("", "/", "/"),
    ],
)
def test_a_replaced_prefix_keeps_whole_segments(replacement: str, prefix: str | None, result: str) -> None:
    assert replaced_prefix(replacement, prefix) == result


def test_values_are_literal() -> None:
    modifier = HeaderModifier(set=(HeaderValue(name="a", value="100%"),))
    found = header_edits([Filter(type="RequestHeaderModifier", request_header_modifier=modifier)])
    assert found == {"request": {"set": {"a": "100%%"}}}
    assert header_edits([]) is None


@pytest.mark.parametrize(
    ("spec", "port", "expected"),
    [
        (RequestRedirect(scheme="https"), 8080, {"scheme": "https", "port": 443}),
        (RequestRedirect(scheme="https", hostname="a.b"), 8080, {"scheme": "https", "authority": "a.b"}),
        (RequestRedirect(hostname="a.b"), 80, {"authority": "a.b"}),
        (RequestRedirect(hostname="a.b"), 8080, {"authority": "a.b", "derivePort": "FROM_REQUEST_PORT"}),
        (RequestRedirect(port=8443), 80, {"port": 8443}),
    ],
)
def test_ports_of_redirects(spec: RequestRedirect, port: int, expected: dict[str, object]) -> None:
    assert redirect(spec, None, port) == {"redirectCode": 302, **expected}


def test_a_whole_path_is_replaced_literally() -> None:
    path = PathModifier(type="ReplaceFullPath", replace_full_path="/a\\1")
    assert rewrite(path, "", "/x/") == {"uriRegexRewrite": {"match": "^/.*$", "rewrite": "/a\\\\1"}}


def test_origins_with_a_wildcard_stay_in_their_domain() -> None:
    found = cors(Cors(allow_origins=("https://*.a.b", "https://c.d")))
    assert isinstance(found, dict)
    assert found["allowOrigins"] == [{"regex": r"https://[A-Za-z0-9.-]+\.a\.b"}, {"exact": "https://c.d"}]
