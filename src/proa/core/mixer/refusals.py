"""What a caller is told whom a check refuses, in the words of Istio's proxies of 2018: a status of HTTP, and a text
that is the body of the answer, or gRPC's message.

Whoever refuses says it by this: Mixer's answers, and the filters that refuse in the proxy.
"""

from typing import Final

_STATUSES: Final = (
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
)
"""By google.rpc.Code, from 0."""
LONGEST: Final = 1024
"""Bytes of a text."""


def http_status(code: int) -> int:
    return _STATUSES[code][1] if 0 <= code < len(_STATUSES) else 500


def code_name(code: int) -> str:
    """`UNKNOWN` for a code that nobody knows."""
    return _STATUSES[code][0] if 0 <= code < len(_STATUSES) else _STATUSES[2][0]


def refusal_text(code: int, message: str) -> str:
    """Like `PERMISSION_DENIED:no.denier.default:Not allowed`; a message of several handlers is theirs, joined."""
    return f"{code_name(code)}:{message}".encode()[:LONGEST].decode(errors="ignore")
