from proa.core.config import path_text
from proa.core.config.analyze.rules import rules_of
from proa.core.config.kinds.virtual_service.schema import VirtualService
from tests.unit.core.config.analyze.finding import an_object, to


def test_every_rule_has_its_place_matches_and_targets() -> None:
    spec = an_object(
        "vs",
        "a",
        {
            "hosts": ["x"],
            "http": [to("a"), to("b")],
            "tls": [{"match": [{"sniHosts": ["x"]}], **to("c")}],
            "tcp": [to("d")],
        },
    ).spec
    assert isinstance(spec, VirtualService)
    found = {
        path_text(each.path): (len(each.matches), each.targets[0].destination.host) for each in rules_of(spec)
    }
    assert found == {
        "spec.http[0]": (0, "a"),
        "spec.http[1]": (0, "b"),
        "spec.tls[0]": (1, "c"),
        "spec.tcp[0]": (0, "d"),
    }
