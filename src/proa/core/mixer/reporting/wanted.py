"""What a proxy is to tell, for the rules that can match there: of requests, of connections, and with which headers."""

import re
from typing import Final

from proa.core.mixer.asked import Place
from proa.core.mixer.needs import REQUESTS, STREAMS, client_place, reports_of
from proa.core.mixer.plan.in_force import InForce
from proa.core.model.settings import Reporting

ALWAYS: Final = frozenset({"referer", "user-agent", "x-forwarded-for", "x-request-id"})
"""Of requests' headers, besides those that begin with a colon: entries have fields for them."""
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
"""Of a header. No other is ever there, and an Envoy refuses a listener that asks for one."""


def reporting_at(
    rules: InForce, place: Place, *, requests: bool = True, streams: bool = True
) -> Reporting | None:
    """None: no rule can match there. `requests`: whether there can be any.

    A rule that reads all headers at once is told those that other expressions name."""
    of_requests = reports_of(rules, place, REQUESTS) if requests else None
    of_streams = reports_of(rules, place, STREAMS)
    if of_requests is None and of_streams is None:
        return None
    asked = (of_requests.request_headers or ()) if of_requests else ()
    answered = (of_requests.response_headers or ()) if of_requests else ()
    return Reporting(
        requests=of_requests is not None,
        streams=of_streams is not None,
        request_headers=tuple(name for name in asked if name not in ALWAYS and _NAME.fullmatch(name)),
        response_headers=tuple(name for name in answered if _NAME.fullmatch(name)),
        spans=of_requests is not None and of_requests.has_spans,
    )


def client_reporting(rules: InForce, namespace: str) -> Reporting | None:
    """Of the calls that a namespace's workloads make."""
    return reporting_at(rules, client_place(namespace))
