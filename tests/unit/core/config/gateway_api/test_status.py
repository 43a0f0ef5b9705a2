from proa.core.config.gateway_api.attach import Condition
from proa.core.config.gateway_api.bound import Standing
from proa.core.config.gateway_api.derive import derive
from proa.core.config.gateway_api.gateway_schema import GatewayClass
from proa.core.config.gateway_api.status import class_status, condition_text, gateway_status, route_status
from tests.unit.core.config.gateway_api.objects import CALLERS, HTTP, gateway, loaded, route, to

TAKEN = Condition(type="Programmed", status=True, reason="Programmed")


def programmed(standing: Standing) -> Condition:
    return TAKEN


def reasons(owner: object) -> list[tuple[str, str]]:
    assert isinstance(owner, dict)
    return [(each["reason"], each["status"]) for each in owner["conditions"]]


def test_services_that_are_not_there_are_told() -> None:
    standings = derive(loaded(route("a", to("x"), parents=CALLERS))).standings
    for known, expected in (
        ({"c", "x"}, [("Accepted", "True"), ("ResolvedRefs", "True"), ("Programmed", "True")]),
        ({"c"}, [("Accepted", "True"), ("BackendNotFound", "False"), ("Programmed", "True")]),
        ({"x"}, [("NoMatchingParent", "False"), ("ResolvedRefs", "True")]),
    ):
        status = route_status(standings, lambda host, known=known: host.split(".")[0] in known, programmed, 3)  # type: ignore[misc]
        assert isinstance(status["parents"], list)
        assert reasons(status["parents"][0]) == expected


def test_a_gateway_tells_of_its_listeners() -> None:
    own = next(
        each for each in derive(loaded(gateway(HTTP), route("a", to("x")))).standings if each.parent is None
    )
    status = gateway_status(own, programmed, 3)
    assert reasons(status) == [("Accepted", "True"), ("Programmed", "True")]
    assert isinstance(status["listeners"], list)
    (listener,) = status["listeners"]
    assert isinstance(listener, dict)
    assert (listener["attachedRoutes"], ("Programmed", "True") in reasons(listener)) == (1, True)


def test_classes_of_others_are_not_judged() -> None:
    ours, other = (GatewayClass(controller_name=name) for name in ("proa.dev/gateway-controller", "x.io/y"))
    assert reasons(class_status(ours, 1)) == [("Accepted", "True")]
    assert reasons(class_status(other, 1)) == [("Waiting", "Unknown")]


def test_the_version_counts_as_generation() -> None:
    text = condition_text(TAKEN, 7)
    assert isinstance(text, dict)
    assert text["observedGeneration"] == 7
