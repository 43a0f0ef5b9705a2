import pytest

from proa.cli.output import columns, count, rejection_line, span, to_text
from proa.core.model.names import ObjectRef
from proa.servers.admin.operations import Rejection


def test_columns_are_aligned_and_empty_ones_left_out() -> None:
    assert columns(("A", "B", "C"), [("x", "", "1"), ("long", "", "22")]) == "A     C\nx     1\nlong  22\n"
    assert columns(("A", "B"), []) == "A  B\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (3_661, "1h1m"), (86_400, "1d"), (90_061, "1d1h"), (-61, "-1m1s")],
)
def test_spans_have_two_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_counts_have_a_plural() -> None:
    assert [count(1, "proxy", "proxies"), count(0, "proxy", "proxies"), count(2, "file")] == [
        "1 proxy",
        "0 proxies",
        "2 files",
    ]


def test_trees_as_yaml_and_json() -> None:
    assert to_text({"a": [1]}, "yaml") == "a:\n- 1\n"
    assert to_text([1], "yaml") == "- 1\n"
    assert to_text({"a": "ü"}, "json") == '{\n  "a": "ü"\n}\n'


def test_a_refusal_is_one_line_however_much_envoy_quotes() -> None:
    refusal = Rejection(
        objects=(ObjectRef("VirtualService", "default", "reviews"),),
        resource="9080",
        type="ROUTE",
        error="Unable to parse:\n" + "virtual_hosts {\n" * 300,
    )
    line = rejection_line("default/productpage", refusal)
    assert line.startswith(
        "VirtualService/default/reviews: rejected by default/productpage: Unable to parse:"
    )
    assert line.endswith("[ROUTE 9080]")
    assert "\n" not in line
    assert len(line) < 600
