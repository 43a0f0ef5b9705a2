"""Groups and what they are told; what they become are golden cases."""

from proa.core.config.gateway_api.derive import Group, derive, groups_for
from proa.core.config.gateway_api.gateways import derived_gateway_name
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef
from tests.unit.core.config.gateway_api.objects import CALLERS, HTTP, gateway, loaded, route, to


def hosts_of(spec: dict[str, Json]) -> list[str]:
    """The services its rules send to, in order."""
    rules = spec["http"]
    assert isinstance(rules, list)
    return [rule["route"][0]["destination"]["host"].split(".")[0] for rule in rules]  # type: ignore[index,call-overload,union-attr]


def test_a_route_belongs_to_each_of_its_parents() -> None:
    (config,) = loaded(route("r", to("a"), parents=f"{{name: web, namespace: edge}}, {CALLERS}"))
    assert groups_for(config.ref, config.spec, {}) == [
        Group("gateway", "edge", "web"),
        Group("service", "default", "c"),
    ]


def test_the_older_of_equal_routes_comes_first() -> None:
    objects = loaded(gateway(HTTP), route("a", to("young")), route("b", to("old")))
    ages = {ObjectRef("HTTPRoute", "default", "a"): 2.0, ObjectRef("HTTPRoute", "default", "b"): 1.0}
    by_name, by_age = derive(objects), derive(objects, ages)
    assert hosts_of(by_name.made[-1].derived.spec) == ["young", "old"]
    assert hosts_of(by_age.made[-1].derived.spec) == ["old", "young"]


def test_the_order_of_objects_does_not_matter() -> None:
    objects = loaded(
        gateway(HTTP), route("a", to("x", "/x")), route("b", to("y")), route("c", to("z"), parents=CALLERS)
    )
    assert derive(reversed(objects)) == derive(objects)


def test_sources_are_named() -> None:
    made = derive(loaded(gateway(HTTP), route("a", to("x")))).made
    assert made[0].derived.name == derived_gateway_name("web")
    assert [ref.name for ref in made[1].derived.sources] == ["a", "web"]
    assert [each.missing for each in made[1].beyond_http] == [500]


def test_without_a_gateway_nothing_is_made() -> None:
    derivation = derive(loaded(route("a", to("x"))))
    assert derivation.made == ()
    assert [each.conditions[0].reason for each in derivation.standings] == ["NoMatchingParent"]
