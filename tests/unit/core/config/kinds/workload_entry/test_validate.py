from tests.unit.core.config.judged import judge


def test_the_rules_of_an_endpoint_hold() -> None:
    assert judge("we", {"address": "10.0.0.1", "ports": {"http": 80}}) == []
    assert judge("we", {}) == ["spec.address required"]
    assert judge("we", {"address": "unix://@a", "ports": {"http": 80}}) == ["spec.ports conflict"]
