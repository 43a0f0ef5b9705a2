from proa.core.config.kinds.destination_rule.schema import DerivedTls, DestinationRule


def test_what_nobody_can_write_is_not_shown() -> None:
    assert DerivedTls(host="a", port_name="https").as_written() == DestinationRule(host="a")
