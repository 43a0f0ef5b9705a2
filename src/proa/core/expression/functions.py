"""What can be called, operators included: names, argument types, result types. The checker asks; what each does is
for those who compile.

`None` as a parameter or result is T: one type for all places that say so, out of `over`.
"""

import msgspec

from proa.core.attributes.value_types import ValueType

_STRING, _BOOL = ValueType.STRING, ValueType.BOOL


class Function(msgspec.Struct, frozen=True):
    """`on_target`: written `x.f(y)`, x being the first parameter. `repeats`: takes more of its last parameter."""

    name: str
    parameters: tuple[ValueType | None, ...]
    result: ValueType | None
    over: frozenset[ValueType] = frozenset(ValueType)
    on_target: bool = False
    repeats: bool = False


_COMPARED = frozenset(ValueType) - {ValueType.DURATION, ValueType.STRING_MAP}
ORDERED = frozenset((_STRING, ValueType.INT64, ValueType.DOUBLE, ValueType.TIMESTAMP, ValueType.DURATION))
ADDED = frozenset(
    (
        _STRING,
        ValueType.INT64,
        ValueType.DOUBLE,
        ValueType.DNS_NAME,
        ValueType.EMAIL_ADDRESS,
        ValueType.URI,
    )
)

DEFAULT = Function("|", (None, None), None, repeats=True)
INDEX = Function("[]", (ValueType.STRING_MAP, _STRING), _STRING)

OPERATORS = {
    each.name: each
    for each in (
        *(Function(name, (None, None), _BOOL, _COMPARED) for name in ("==", "!=")),
        *(Function(name, (None, None), _BOOL, ORDERED) for name in ("<", "<=", ">", ">=")),
        *(Function(name, (_BOOL, _BOOL), _BOOL, repeats=True) for name in ("||", "&&")),
        Function("+", (None, None), None, ADDED, repeats=True),
        DEFAULT,
    )
}

FUNCTIONS = {
    each.name: each
    for each in (
        Function("conditional", (_BOOL, None, None), None),
        Function("conditionalString", (_BOOL, _STRING, _STRING), _STRING),
        Function("match", (_STRING, _STRING), _BOOL),
        Function("matches", (_STRING, _STRING), _BOOL, on_target=True),
        Function("startsWith", (_STRING, _STRING), _BOOL, on_target=True),
        Function("endsWith", (_STRING, _STRING), _BOOL, on_target=True),
        Function("ip", (_STRING,), ValueType.IP_ADDRESS),
        Function("timestamp", (_STRING,), ValueType.TIMESTAMP),
        Function("dnsName", (_STRING,), ValueType.DNS_NAME),
        Function("email", (_STRING,), ValueType.EMAIL_ADDRESS),
        Function("uri", (_STRING,), ValueType.URI),
        Function("emptyStringMap", (), ValueType.STRING_MAP),
        Function("toLower", (_STRING,), _STRING),
        Function("size", (_STRING,), ValueType.INT64),
    )
}
