"""Which headers of a request go along with the calls made on its behalf.

A proxy sees each hop alone; only the program knows which outgoing call belongs to which incoming request.
Called by the programs that call others.
"""

from collections.abc import Iterable, Mapping

from multidict import CIMultiDict, CIMultiDictProxy

TRACE_HEADERS = (
    "x-request-id",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "b3",
    "traceparent",
    "tracestate",
    "x-ot-span-context",
)
PASSED_HEADERS = (*TRACE_HEADERS, "end-user", "user-agent")


def passed_on(
    headers: CIMultiDictProxy[str] | CIMultiDict[str], instead: Mapping[str, str] | None = None
) -> CIMultiDict[str]:
    """The headers for an outgoing call; `instead` replaces single ones. A header sent several times stays
    so.
    """
    replaced = instead or {}
    kept: Iterable[tuple[str, str]] = (
        (name, value) for name in PASSED_HEADERS if name not in replaced for value in headers.getall(name, ())
    )
    return CIMultiDict([*kept, *replaced.items()])
