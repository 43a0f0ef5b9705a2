"""Which of B3's headers the others tell."""

import pytest

from proa.core.mixer.reporting.trace_headers import add_b3, carriers_of

TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
IDS = {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN}


@pytest.mark.parametrize(
    ("told", "added"),
    [
        ({"b3": f"{TRACE}-{SPAN}"}, IDS),
        ({"b3": f"{TRACE}-{SPAN}-0"}, {**IDS, "x-b3-sampled": "0"}),
        (
            {"b3": f"{TRACE[16:]}-{SPAN}-d-{PARENT}"},
            {
                "x-b3-traceid": TRACE[16:],
                "x-b3-spanid": SPAN,
                "x-b3-sampled": "1",
                "x-b3-parentspanid": PARENT,
            },
        ),
        ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, {**IDS, "x-b3-sampled": "1"}),
        ({"traceparent": f"00-{TRACE}-{SPAN}-02"}, {**IDS, "x-b3-sampled": "0"}),
        ({"traceparent": f"cc-{TRACE}-{SPAN}-01-more"}, {**IDS, "x-b3-sampled": "1"}),
        ({"traceparent": f"ff-{TRACE}-{SPAN}-01"}, {}),
        ({"traceparent": f"00-{TRACE}-{SPAN}"}, {}),
        ({"b3": "0"}, {}),
        ({"b3": "0", "traceparent": f"00-{TRACE}-{SPAN}-01"}, {**IDS, "x-b3-sampled": "1"}),
        ({"x-b3-traceid": "a", "b3": f"{TRACE}-{SPAN}"}, {}),
        ({"x-b3-sampled": "0"}, {}),
        ({}, {}),
    ],
)
def test_what_is_added(told: dict[str, str], added: dict[str, str]) -> None:
    headers = dict(told)
    add_b3(headers)
    assert headers == {**told, **added}


def test_who_reads_b3_is_told_of_what_carries_it() -> None:
    assert carriers_of(("x-a", "x-b3-spanid")) == ("b3", "traceparent", "x-a", "x-b3-spanid")
    assert carriers_of(("x-a",)) == ("x-a",)
