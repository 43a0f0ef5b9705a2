from proa.core.attributes.value_types import ValueType
from proa.core.expression.typed import Apply, Checked, Constant, Read, reads_of


def test_reads_in_order() -> None:
    first, second = Read("a", ValueType.STRING), Read("b", ValueType.STRING)
    root = Apply(
        "|", ValueType.STRING, ValueType.STRING, (first, second, first, Constant("c", ValueType.STRING))
    )
    assert list(reads_of(root)) == [first, second, first]
    assert Checked(root).type is ValueType.STRING
