from proa.core.expression.syntax import Fault


def test_faults_say_where_and_what_to_do() -> None:
    assert str(Fault(3, "it is wrong", "mend it")) == "column 3: it is wrong; mend it"
    assert str(Fault(3, "it is wrong")) == "column 3: it is wrong"
