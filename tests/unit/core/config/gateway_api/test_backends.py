from proa.core.config.gateway_api.backends import NOWHERE, destination, shares
from proa.core.config.gateway_api.schema import StreamBackend
from proa.core.model.names import ObjectRef

REF = ObjectRef("TCPRoute", "default", "r")


def test_weights_are_written_where_there_is_a_choice() -> None:
    one, two, none = (
        StreamBackend(name=name, port=1, weight=weight) for name, weight in (("a", 2), ("b", 1), ("c", 0))
    )
    assert [goal for _, goal in shares(REF, [one, none], lambda each: True)] == [
        {"destination": destination(one, "default")}
    ]
    assert [goal["weight"] for _, goal in shares(REF, [one, two], lambda each: True)] == [2, 1]


def test_what_may_not_be_named_keeps_its_share() -> None:
    one, two = (StreamBackend(name=name, port=1) for name in ("a", "b"))
    found = shares(REF, [one, two], lambda each: each.name == "a")
    assert [goal["destination"] for _, goal in found] == [destination(one, "default"), {"host": NOWHERE}]
    assert shares(REF, [one], lambda each: False) == []
