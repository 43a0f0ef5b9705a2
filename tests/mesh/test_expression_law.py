"""Python and Envoy say the same of an expression: its value, and whether it is met as a condition."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from proa.core.attributes.value_types import Value, ValueType
from proa.core.attributes.vocabulary import STANDARD
from proa.core.expression.cel import cel_text
from proa.core.expression.envoy_form import EnvoyForm, envoy_form
from proa.core.expression.envoy_format import format_string
from proa.core.expression.envoy_pieces import NoForm
from proa.core.expression.program import Program, compile_expression
from proa.core.expression.typed import Language
from tests.mesh.expression_scene import Proxy, Sent, proxy_of
from tests.properties.expression.drawn import KEYS, cel_texts_of, texts_of

pytestmark = pytest.mark.mesh

# What Pilot would know of this proxy.
FACTS: dict[str, Value | None] = {
    "source.labels": {"k": "a", "10s": "b"},
    "source.namespace": "a",
    "destination.namespace": None,
    "destination.labels": None,
    "destination.port": 2,
    "context.reporter.local": True,
}
NAMES = {
    ValueType.STRING: (
        *("request.path", "request.host", "request.method", "request.scheme", "request.referer"),
        *("request.useragent", "context.protocol", "connection.requested_server_name", "source.principal"),
        *("source.namespace", "destination.namespace", "request.auth.presenter"),
    ),
    ValueType.STRING_MAP: ("request.headers", "source.labels", "destination.labels", "request.auth.claims"),
    ValueType.BOOL: ("connection.mtls", "context.reporter.local"),
    ValueType.INT64: ("destination.port",),
    ValueType.TIMESTAMP: ("request.time",),
}
COMPARED = (ValueType.BOOL, ValueType.BOOL, ValueType.STRING, ValueType.INT64)
WORDS = st.sampled_from(
    (
        "",
        "a",
        "b",
        "ab",
        "k",
        "10s",
        "a*",
        "x%20y",
        "application/grpc",
        "application/grpc+json; a",
        "(1)",
        '"q"',
        "a=b)%",
    )
)
# Envoy takes a referer away that is no URL.
REFERERS = st.sampled_from(("http://a", "https://b/k?10s"))
REQUESTS = st.builds(
    Sent,
    path=st.sampled_from(("/", "/a", "/b?a=b", "/ab%20*")),
    host=st.sampled_from(("a", "b", "a.b:80")),
    headers=st.fixed_dictionaries(
        {}, optional=dict.fromkeys((*KEYS, "user-agent", "content-type"), WORDS) | {"referer": REFERERS}
    ),
)
TYPES = st.sampled_from([each.name for each in COMPARED]).map(ValueType.__getitem__)
LANGUAGES: tuple[Language, ...] = ("MIXER", "CEL")
CASES = st.lists(
    TYPES.flatmap(
        lambda wanted: (
            st.tuples(texts_of(wanted, 2, NAMES), st.just(wanted), st.just(LANGUAGES[0]))
            | st.tuples(cel_texts_of(wanted, 2, NAMES), st.just(wanted), st.just(LANGUAGES[1]))
        )
    ),
    min_size=40,
    max_size=60,
)


def compiled(
    text: str, wanted: ValueType | None = None, language: Language = "MIXER"
) -> tuple[Program, EnvoyForm | NoForm]:
    program = compile_expression(text, STANDARD, wanted, language=language)
    assert isinstance(program, Program), (text, [str(fault) for fault in program])
    return program, envoy_form(program.checked, FACTS)


def agree(proxy: Proxy, number: int, program: Program, form: EnvoyForm, request: Sent, text: str) -> None:
    found = program.trace(request.bag(FACTS))
    told = (text, cel_text(form.cel), request, str(found.error))
    answer = proxy.value(number, request)
    assert _as_envoy_writes(found.value) == answer, told
    assert form.may_fail or found.error is None, told
    if program.type is ValueType.BOOL:
        assert proxy.is_met(number, request) is (found.value is True), told


def _as_envoy_writes(value: Value | None) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


@settings(
    max_examples=3,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(st.data())
def test_python_and_envoy_agree(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    texts = data.draw(CASES)
    requests = data.draw(st.lists(REQUESTS, min_size=5, max_size=5))
    both = [(text, *compiled(text, wanted, language)) for text, wanted, language in texts]
    cases = [(text, program, form) for text, program, form in both if isinstance(form, EnvoyForm)]
    assert cases
    with proxy_of([form for _, _, form in cases], tmp_path_factory.mktemp("law")) as proxy:
        for number, (text, program, form) in enumerate(cases):
            for request in requests:
                agree(proxy, number, program, form, request, text)


IDENTITY_TEXTS = (
    'source.principal == "cluster.local/ns/shop/sa/web"',
    'source.principal != "cluster.local/ns/shop/sa/web"',
    'source.user | destination.user == "cluster.local/ns/prod/sa/web"',
    '(source.principal | "nobody") == "nobody"',
    'match(source.principal, "partner.example/*")',
    'match(source.principal, "*/sa/web")',
    'match(source.principal, "*spiffe://partner.example/ns/shop/sa/web")',
    'source.principal.startsWith("cluster.local/ns/shop/")',
    "source.principal == destination.principal",
    'connection.mtls && source.principal.endsWith("web")',
    'connection.requested_server_name | "none"',
    'request.auth.presenter | "none"',
    'request.auth.claims["sub"]',
    'request.auth.claims["none"] | "none"',
    'request.auth.claims["10s"] == ""',
    'connection.requested_server_name == "a.example" || request.scheme == "https"',
)


def test_python_and_envoy_agree_about_identities(tmp_path: Path) -> None:
    cases = [(text, *compiled(text)) for text in IDENTITY_TEXTS]
    forms = [form for _, _, form in cases if isinstance(form, EnvoyForm)]
    assert len(forms) == len(cases)
    names = ("", "a.example")
    requests = [
        Sent(caller=who, server_name=name)
        for who in (None, -1, 0, 1, 2, 3)
        for name in names
        if who != 1 or name
    ]
    with proxy_of(forms, tmp_path) as proxy:
        for number, (text, program, _) in enumerate(cases):
            for request in requests:
                agree(proxy, number, program, forms[number], request, text)


def test_what_is_known_at_the_end_is_logged_as_python_says(tmp_path: Path) -> None:
    texts: dict[str, Value] = {
        "response.code": 404,
        "response.code >= 400": True,
        'response.headers["x-kind"] | "none"': "logged",
        'response.headers["x-none"] | "none"': "none",
        "response.size": len("nothing"),
        'response.duration > "0s" && response.duration < "1h"': True,
        'request.method + " " + request.path + " 100%"': "GET /a?b=c 100%",
        'source.namespace + "/" + source.labels["k"]': "a/a",
        "connection.mtls": False,
        "destination.port": 2,
    }
    formats = []
    for text in texts:
        program, _ = compiled(text)
        found = format_string(program.checked, FACTS)
        assert isinstance(found, str), str(found)
        formats.append(found)
    with proxy_of([], tmp_path, formats) as proxy:
        logged = proxy.logged(Sent(path="/a?b=c"))
    assert logged == [_as_envoy_writes(value) for value in texts.values()]
