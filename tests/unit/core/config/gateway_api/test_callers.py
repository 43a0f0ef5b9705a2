from proa.core.config.gateway_api.derive import derive
from tests.unit.core.config.gateway_api.objects import CALLERS, loaded, route, to


def test_ports_without_routes_are_as_without_routes() -> None:
    def last(parents: str) -> object:
        (made,) = derive(loaded(route("r", to("a"), parents=parents))).made
        rules = made.derived.spec["http"]
        assert isinstance(rules, list)
        return rules[-1]

    assert last(CALLERS) == {"directResponse": {"status": 404}}
    assert last("{group: '', kind: Service, name: c, port: 80}") == {
        "route": [{"destination": {"host": "c.default.svc.cluster.local"}}]
    }
