from proa.core.config.near_names import suggestion


def test_case_and_separators_do_not_count() -> None:
    assert suggestion("fixed_delay", ["fixedDelay", "percent"]) == '; did you mean "fixedDelay"?'
    assert suggestion("ROUNDROBIN", ("ROUND_ROBIN",)) == '; did you mean "ROUND_ROBIN"?'


def test_nothing_near_is_nothing() -> None:
    assert suggestion("zzz", ["fixedDelay"]) == ""
    assert suggestion("", ["fixedDelay"]) == ""
