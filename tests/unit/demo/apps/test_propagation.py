from multidict import CIMultiDict

from proa.demo.apps.propagation import TRACE_HEADERS, passed_on


def test_every_trace_header_goes_along() -> None:
    incoming = CIMultiDict({name.title(): f"value of {name}" for name in TRACE_HEADERS})
    assert passed_on(incoming) == incoming


def test_other_headers_stay_behind() -> None:
    incoming = CIMultiDict(
        {"cookie": "user=jason", "authorization": "Bearer x", "end-user": "jason", "host": "a"}
    )
    assert dict(passed_on(incoming)) == {"end-user": "jason"}


def test_a_repeated_header_stays_repeated() -> None:
    incoming = CIMultiDict([("tracestate", "a=1"), ("tracestate", "b=2")])
    assert passed_on(incoming).getall("tracestate") == ["a=1", "b=2"]


def test_a_replaced_header_replaces_all_its_values() -> None:
    incoming = CIMultiDict([("end-user", "mallory"), ("end-user", "eve"), ("b3", "0")])
    assert list(passed_on(incoming, {"end-user": "jason"}).items()) == [("b3", "0"), ("end-user", "jason")]
