import pytest

from proa.core.attributes.value_types import Value
from proa.core.attributes.vocabulary import STANDARD
from proa.core.expression.cel import cel_text
from proa.core.expression.envoy_form import EnvoyForm, envoy_form
from proa.core.expression.envoy_pieces import NoForm
from proa.core.expression.program import Program, compile_expression

FACTS: dict[str, Value | None] = {"source.labels": {"app": "web"}, "destination.labels": None}
PEER = "connection.uri_san_peer_certificate"
IS_PEER = f'(has({PEER}) ? {PEER}.startsWith("spiffe://") : false)'
METADATA = "metadata.filter_metadata"
JWT = f'{METADATA}["envoy.filters.http.jwt_authn"]'
CLAIMS = f'{JWT}["payload"]'
HAS_PAYLOAD = f'(("payload" in {JWT}) ? (size({CLAIMS}) > 0) : false)'
HAS_CLAIMS = f'(("envoy.filters.http.jwt_authn" in {METADATA}) ? {HAS_PAYLOAD} : false)'
IS_ROLE = f'(("Role" in {CLAIMS}) ? (type({CLAIMS}["Role"]) == string) : false)'
FAILURE = '{}["absent"]'


def form(text: str) -> EnvoyForm | NoForm:
    program = compile_expression(text, STANDARD)
    assert isinstance(program, Program), [str(fault) for fault in program]
    return envoy_form(program.checked, FACTS)


@pytest.mark.parametrize(
    ("text", "cel", "may_fail"),
    [
        ('request.method == "GET"', '(request.method == "GET")', False),
        ("request.useragent", f"(has(request.useragent) ? request.useragent : {FAILURE})", True),
        ('request.useragent | "none"', '(has(request.useragent) ? request.useragent : "none")', False),
        (
            'request.headers["x-a"] == ""',
            '((("x-a" in request.headers) ? request.headers["x-a"] : "") == "")',
            False,
        ),
        ('request.headers["X-A"] | "never"', '"never"', False),
        (
            '(destination.labels | request.headers)["a"] | "b"',
            '(("a" in request.headers) ? request.headers["a"] : "b")',
            False,
        ),
        ('source.labels["app"] == request.method', '("web" == request.method)', False),
        ('destination.labels["app"] == request.method', f"({FAILURE} == request.method)", True),
        (
            'source.principal == "cluster.local/ns/a/sa/b"',
            f'({IS_PEER} ? ({PEER} == "spiffe://cluster.local/ns/a/sa/b") : {FAILURE})',
            True,
        ),
        (
            '(source.principal | "") != "a"',
            f'({IS_PEER} ? ({PEER} != "spiffe://a") : ("" != "a"))',
            False,
        ),
        (
            'match(source.principal, "*b")',
            f'({IS_PEER} ? ((size({PEER}) >= 10) && {PEER}.endsWith("b")) : {FAILURE})',
            True,
        ),
        (
            'source.principal.startsWith("a") && connection.mtls',
            f'(({IS_PEER} ? {PEER}.startsWith("spiffe://a") : {FAILURE}) ? connection.mtls : false)',
            True,
        ),
        ('connection.mtls && request.method != "a"', '(connection.mtls && (request.method != "a"))', False),
        (
            'request.referer == "a" || connection.mtls',
            f'(((has(request.referer) ? request.referer : {FAILURE}) == "a") ? true : connection.mtls)',
            True,
        ),
        ('"^a".matches(request.method)', 'request.method.matches("^a")', False),
        (
            'request.time < timestamp("2030-01-01T00:00:00Z")',
            '(request.time < timestamp("2030-01-01T00:00:00Z"))',
            False,
        ),
        ("conditional(connection.mtls, 1.5 + 2.5, 1.0)", "(connection.mtls ? 4.0 : 1.0)", False),
        ("size(request.method)", "size(bytes(request.method))", False),
        (
            'request.auth.claims["Role"] | "none"',
            f'({HAS_CLAIMS} ? ({IS_ROLE} ? {CLAIMS}["Role"] : "none") : "none")',
            False,
        ),
        (
            'response.duration > "1s"',
            f'((has(request.duration) ? request.duration : {FAILURE}) > duration("1000000000ns"))',
            True,
        ),
    ],
)
def test_forms(text: str, cel: str, may_fail: bool) -> None:
    found = form(text)
    assert isinstance(found, EnvoyForm), str(found)
    assert cel_text(found.cel) == cel
    assert found.may_fail is may_fail
    assert found.at_end is ("response" in text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("source.workload.name", "source.workload.name: Pilot knows it"),
        ('origin.ip == ip("1.2.3.4")', "IP_ADDRESS as Mixer does"),
        ("request.headers", "request.headers is a map; ask for a key of it"),
        ("request.headers[request.path]", "the key of a map is not constant; write it between quotes"),
        ('request.path + "a"', "joins no texts"),
        ("response.code + 1", "wrap around"),
        ("toLower(request.path)", "toLower() of what a request has"),
        ("dnsName(request.host)", "dnsName() of what a request has"),
        ("match(request.path, request.host)", "the pattern of match() is not constant"),
        ("request.path.matches(request.host)", "the pattern of matches() is not constant"),
        ('"(".matches(request.path)', "no RE2 expression"),
        ('"[a-z]{200}".matches(request.path)', "too large"),
        ("source.principal", "spiffe:// in front of this text"),
        ("source.principal == request.path", "spiffe:// in front of one of the texts"),
        ("size(source.principal)", "spiffe:// in front of this text"),
        ("1e308 + 1e308", "no such constant"),
        ("emptyStringMap()", "is a map"),
        ("request.auth.principal", "issuer and subject apart"),
        (" || ".join(["request.referer == request.useragent"] * 400), "too large for Envoy"),
        ("|".join(["request.useragent"] * 700), "too large for Envoy"),
        ("|".join(["source.principal"] * 700) + ' == "a"', "too many texts to choose from"),
        ("|".join(['(request.headers|response.headers)["a"]'] * 50) + '| "b"', "too large for Envoy"),
    ],
)
def test_why_not(text: str, reason: str) -> None:
    found = form(text)
    assert isinstance(found, NoForm), cel_text(found.cel)
    assert reason in str(found)


def test_long_chains_stay_flat() -> None:
    found = form(" || ".join(f'request.method == "{number}"' for number in range(300)))
    assert isinstance(found, EnvoyForm)
