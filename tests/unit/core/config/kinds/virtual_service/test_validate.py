import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge

HTTP: Json = [{"route": [{"destination": {"host": "a"}}]}]


def hosts(*names: str, gateways: tuple[str, ...] = ()) -> list[str]:
    return judge("vs", {"hosts": list(names), "gateways": list(gateways), "http": HTTP})


def test_without_hosts_it_is_a_delegate() -> None:
    assert hosts() == []
    assert hosts(gateways=("g",)) == ["spec.gateways conflict"]
    assert hosts("") == ["spec.hosts[0] bad-value"]
    rule: Json = {"delegate": {"name": "b"}}
    last: Json = {"route": [{"destination": {"host": "b"}}]}
    assert judge("vs", {"hosts": ["a"], "http": [rule, last]}) == [], "who knows what a delegate takes"
    assert judge("vs", {"http": [rule]}) == ["spec.http[0].delegate conflict"]


@pytest.mark.parametrize(
    ("gateways", "is_fine"), [((), False), (("mesh",), False), (("g", "mesh"), False), (("g",), True)]
)
def test_the_star_is_for_gateways_alone(gateways: tuple[str, ...], is_fine: bool) -> None:
    assert hosts("*", gateways=gateways) == ([] if is_fine else ["spec.hosts[0] conflict"])


def test_hosts_must_not_overlap() -> None:
    assert hosts("a.b.com", "*.b.com", "a", "10.0.0.1") == ["spec.hosts[1] duplicate"]


def test_gateways_are_named() -> None:
    assert hosts("a", gateways=("/x", "x.y")) == ["spec.gateways[0] bad-value", "spec.gateways[1] deprecated"]


def test_rules_are_required_and_the_last_one_takes_the_rest() -> None:
    assert judge("vs", {"hosts": ["a"]}) == ["spec required"]
    rule: Json = {"route": [{"destination": {"host": "a"}}]}
    assert judge("vs", {"hosts": ["a"], "http": [rule, rule, rule]}) == ["spec.http[1] no-effect"]
