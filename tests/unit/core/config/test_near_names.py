from proa.core.config.near_names import neighbours, suggestion


def test_case_and_separators_do_not_count() -> None:
    assert suggestion("fixed_delay", ["fixedDelay", "percent"]) == '; did you mean "fixedDelay"?'
    assert suggestion("ROUNDROBIN", ("ROUND_ROBIN",)) == '; did you mean "ROUND_ROBIN"?'


def test_nothing_near_is_nothing() -> None:
    assert suggestion("zzz", ["fixedDelay"]) == ""
    assert suggestion("", ["fixedDelay"]) == ""


def test_a_few_names_about_a_place() -> None:
    names = [f"n{index:03}" for index in range(100)]
    found = neighbours("n050x", names)
    assert "n050" in found
    assert "n051" in found
    assert len(found) == 10
    assert neighbours("a", names) == names[:5]
    assert neighbours("a", []) == []
