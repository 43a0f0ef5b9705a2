from proa.core.config.variables import check_variables


def test_names_of_variables() -> None:
    assert list(check_variables({"A": "b=c"}, ())) == []
    found = [(each.path, each.code) for each in check_variables({"": "a", "a=b": "c", "d": "\0"}, ("x",))]
    assert found == [(("x", ""), "required"), (("x", "a=b"), "bad-value"), (("x", "d"), "bad-value")]
