"""Lines are read back by the rules of InfluxDB's own reader, written down here once more; a real one judges them in
`test_adapter`."""

from hypothesis import given
from hypothesis import strategies as st

from proa.adapters.policy.influxdb.lines import line, series

HARD = st.text(st.sampled_from("ab,= \\\n\r\t\"'é😀"), max_size=8)
NAMES = st.text(st.sampled_from('ab,= \\"é'), min_size=1, max_size=6)


def split_at(text: str, separator: str) -> list[str]:
    """Where it is not behind a backslash."""
    parts, start = [], 0
    for index, letter in enumerate(text):
        if letter == separator and (index == 0 or text[index - 1] != "\\"):
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def plain(text: str, separators: str) -> str:
    for each in separators:
        text = text.replace(f"\\{each}", each)
    return text


def said(text: str) -> str:
    """What can be said of it."""
    clean = " ".join(text.splitlines() or (text,)) if not text.isprintable() else text
    return f"{clean} " if clean.endswith("\\") else clean


@given(NAMES, st.dictionaries(NAMES, HARD, max_size=4), st.integers(0, 2**62))
def test_whatever_is_told_is_one_line_that_says_it(name: str, tags: dict[str, str], time: int) -> None:
    written = line(series(name, tags.items()), {"value": 1.5, "count": 3}, time)
    assert written.endswith("\n")
    assert len(written.splitlines()) == 1
    of, fields, at = split_at(written[:-1], " ")
    assert (fields, at) == ("value=1.5,count=3i", str(time))
    measurement, *pairs = split_at(of, ",")
    assert plain(measurement, ", ") == said(name)
    read = [tuple(plain(part, ",= ") for part in split_at(pair, "=")) for pair in pairs]
    assert sorted(read) == sorted((said(key), said(text)) for key, text in tags.items() if text)


def test_numbers_are_of_one_type() -> None:
    """InfluxDB refuses a field that is whole once and not the next time."""
    fields = {"value": 3.0, "large": 1e30, "small": 0.25, "negative": -1.0, "count": 2}
    assert line("a", fields, 5) == "a value=3,large=1e+30,small=0.25,negative=-1,count=2i 5\n"


def test_names_that_are_influxdbs_own() -> None:
    assert series("a", [("time", "1"), ("_field", "2"), ("", "3"), ("b", "")]) == "a,_field_=2,time_=1"
