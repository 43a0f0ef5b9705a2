"""Which old objects make one object of today, and that their order never matters."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.config.kinds.destination_rule.schema import DestinationRule
from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.config.legacy.convert import Group, convert, convert_group, groups_of
from proa.core.config.legacy.today import read_back
from proa.core.model.names import expand_host
from tests.unit.core.config.legacy.old import converted, old, rule

C = "c.default.svc.cluster.local"
RULES = [
    rule("low", "{destination: {name: c}, route: [{labels: {v: a}}]}"),
    rule(
        "high",
        "{destination: {name: c}, precedence: 2, match: {request: {headers: {x: {exact: y}}}},"
        " route: [{labels: {v: b}}]}",
    ),
    rule(
        "same",
        "{destination: {service: c.default.svc.cluster.local}, precedence: 2, redirect: {uri: /x},"
        " match: {request: {headers: {uri: {exact: /}}}}}",
    ),
    rule("other", "{destination: {name: d}, route: [{destination: {name: c}, labels: {v: c}}]}", "shop"),
    rule("policy", "{destination: {name: c}, loadBalancing: {name: RANDOM}}", kind="DestinationPolicy"),
    rule(
        "of-b",
        "{destination: {name: c, labels: {v: b}}, loadBalancing: {name: RANDOM}}",
        kind="DestinationPolicy",
    ),
    rule(
        "out", "{destination: {service: example.com}, ports: [{port: 80, protocol: http}]}", kind="EgressRule"
    ),
    rule("door", "{destination: {name: c, labels: {v: d}}}", kind="IngressRule"),
]


def test_groups() -> None:
    groups = groups_of(old("".join(RULES)))
    names = {group: [each.ref.name for each in members] for group, members in groups.items()}
    assert names[Group("routes", "default", C)] == ["high", "low", "same"]
    assert names[Group("destination", "default", C)] == ["of-b", "policy", "door", "high", "low"]
    assert names[Group("destination", "shop", "c.shop.svc.cluster.local")] == ["other"]
    assert names[Group("egress", "default", "out")] == ["out"]
    assert names[Group("ingress rules", "default")] == ["door"]


@given(st.randoms(use_true_random=False))
def test_order_never_matters(shuffle: random.Random) -> None:
    mixed = list(RULES)
    shuffle.shuffle(mixed)
    assert convert(old("".join(mixed))) == convert(old("".join(RULES)))


def test_a_group_alone_is_what_it_is_among_all() -> None:
    objects = old("".join(RULES))
    parts = [convert_group(group, members) for group, members in sorted(groups_of(objects).items())]
    assert tuple(each for part in parts for each in part.derived) == convert(objects).derived


def test_rules_are_ordered_by_precedence_and_name() -> None:
    made = converted("".join(RULES))["VirtualService/default/c"]
    assert [source.name for source in made.sources] == ["high", "same", "low"]


@pytest.mark.parametrize("taker", ["", "precedence: -1, "])
def test_a_host_without_a_rule_for_all_keeps_its_default_route(taker: str) -> None:
    text = rule("some", "{destination: {name: c}, match: {request: {headers: {x: {exact: y}}}}}")
    if taker:
        text += rule("all", f"{{destination: {{name: c}}, {taker}route: [{{labels: {{v: a}}}}]}}")
    http = converted(text)["VirtualService/default/c"].spec["http"]
    assert isinstance(http, list)
    assert len(http) == 2
    subset = {"subset": "v-a"} if taker else {}
    assert http[1] == {"route": [{"destination": {"host": "c", **subset}}]}


def test_what_clients_have_of_their_own_stands_in_a_rule_of_their_own() -> None:
    general = rule(
        "z",
        "{destination: {name: c, labels: {v: a}}, loadBalancing: {name: RANDOM}}",
        kind="DestinationPolicy",
    )
    made = converted(general)
    assert set(made) == {"DestinationRule/default/c"}


def test_rules_of_two_namespaces_for_one_host_are_told() -> None:
    spec = "{destination: {service: c.default.svc.cluster.local}}"
    found = convert(old(rule("a", spec) + rule("b", spec, "shop"))).findings
    assert [(str(ref), finding.code) for ref, finding in found] == [("RouteRule/shop/b", "no-effect")]


def test_an_ingress_of_another_class_is_not_ours() -> None:
    text = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}\n"
    spec = "spec: {ingressClassName: nginx, defaultBackend: {service: {name: c}}}\n"
    assert converted(text + spec) == {}
    assert len(converted((text + spec).replace("nginx", "istio"))) == 2


NAMES = st.sampled_from(["a", "b", "c"])
SERVICES = st.one_of(
    NAMES.map(lambda name: f"{{name: {name}}}"),
    NAMES.map(lambda name: f"{{name: {name}, namespace: shop}}"),
    NAMES.map(lambda name: f"{{service: {name}.example.com}}"),
)
LABELS = st.sampled_from(["", ", labels: {v: a}", ", labels: {v: b.1, w: c_2}"])
MATCHES = st.sampled_from(
    [
        "",
        "match: {source: {name: a}}, ",
        "match: {source: {labels: {t: x}}, request: {headers: {uri: {prefix: /a}}}}, ",
        "match: {request: {headers: {method: {exact: GET}, x: {regex: 'a.*'}}}}, ",
    ]
)
PATIENCE = st.sampled_from(
    [
        "",
        "httpReqTimeout: {simpleTimeout: {timeout: 1s}}, ",
        "httpReqRetries: {simpleRetry: {attempts: 2}}, httpFault: {delay: {percent: 0.5, fixedDelay: 1s}}, ",
        "rewrite: {uri: /x}, ",
    ]
)


@st.composite
def route_rules(draw: st.DrawFn) -> str:
    route = "".join(
        f"{{destination: {draw(SERVICES)}{draw(LABELS)}, weight: {draw(st.integers(1, 100))}}}, "
        for _ in range(draw(st.integers(0, 3)))
    )
    spec = f"{{destination: {draw(SERVICES)}, {draw(MATCHES)}{draw(PATIENCE)}"
    spec += f"precedence: {draw(st.integers(-2, 2))}, route: [{route}]}}"
    return rule(f"r-{draw(st.integers(0, 10_000))}", spec, draw(st.sampled_from(["default", "shop"])))


@given(st.lists(route_rules(), max_size=6, unique=True))
def test_whatever_rules_are_fine_alone_todays_kinds_read_together(texts: list[str]) -> None:
    """Every rule of the input is in exactly one VirtualService, and every subset that one names exists."""
    objects = {config.ref: config for config in old("".join(texts))}
    made = convert(objects.values())
    back = read_back(made)
    assert len(back.objects) == len(made.derived)
    services = [each for each in made.derived if each.kind == "VirtualService"]
    assert sorted(ref for each in services for ref in each.sources) == sorted(objects)
    subsets = {
        (expand_host(today.config.spec.host, today.config.meta.namespace), subset.name)
        for today in back.objects
        if isinstance(today.config.spec, DestinationRule)
        for subset in today.config.spec.subsets
    }
    for today in back.objects:
        if isinstance(today.config.spec, VirtualService):
            for target in (to.destination for each in today.config.spec.http for to in each.route):
                named = (expand_host(target.host, today.config.meta.namespace), target.subset)
                assert not target.subset or named in subsets
