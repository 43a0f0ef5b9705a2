"""InfluxDB's line protocol: what names, tags and numbers look like in it.

    requests,app=shop,code=200 value=3,count=3i,min=1,max=1 1537044396009801999

It has no word for a line's end, for a backslash before what it separates with, nor for an empty tag: the first becomes
a space, the second is followed by one, the third is left out.
"""

from collections.abc import Iterable, Mapping
from typing import Final

_RESERVED: Final = frozenset(("time", "_field", "_measurement"))


def series(measurement: str, tags: Iterable[tuple[str, str]]) -> str:
    """Tags in the order of their names, as InfluxDB likes them best."""
    written = sorted((_tag_name(name), text) for name, text in tags if text and name)
    return "".join(
        (_escaped(measurement, ", "), *(f",{name}={_escaped(text, ',= ')}" for name, text in written))
    )


def line(of: str, fields: Mapping[str, float], time: int) -> str:
    """`of`: a series. Whole numbers are written as such where they are int, all others as floats."""
    written = ",".join(
        f"{name}={value}i" if isinstance(value, int) else f"{name}={_number(value)}"
        for name, value in fields.items()
    )
    return f"{of} {written} {time}\n"


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _tag_name(name: str) -> str:
    """Those that InfluxDB keeps for itself get a line behind them."""
    return _escaped(f"{name}_" if name in _RESERVED else name, ",= ")


def _escaped(text: str, separators: str) -> str:
    clean = " ".join(text.splitlines() or (text,)) if not text.isprintable() else text
    clean = clean.encode(errors="replace").decode()
    if clean.endswith("\\"):
        clean += " "
    for each in separators:
        clean = clean.replace(each, f"\\{each}")
    return clean
