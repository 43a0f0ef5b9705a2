"""Where the objects of a Gateway's listeners are bound; what they say is golden."""

from proa.core.config.gateway_api.derive import derive
from proa.core.config.gateway_api.gateways import derived_gateway_name
from tests.unit.core.config.gateway_api.objects import HTTP, gateway, loaded, route, to

HTTPS = "{name: ended, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: a}]}}"


def test_a_listener_with_a_certificate_has_a_gateway_of_its_own() -> None:
    made = derive(loaded(gateway(HTTP, HTTPS), route("a", to("x")))).made
    own = derived_gateway_name("web")
    assert [each.derived.name for each in made if each.derived.kind == "Gateway"] == [own, f"{own}-ended"]
    bound = [each.derived.spec["gateways"] for each in made if each.derived.kind == "VirtualService"]
    assert bound == [[own], [f"{own}-ended"]]
