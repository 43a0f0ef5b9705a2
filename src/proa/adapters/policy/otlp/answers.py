"""What a collector answers to a batch that it took: how many of it it refused, and why.

    message Answer  { Partial partial_success = 1; }
    message Partial { int64 rejected = 1; string error_message = 2; }

The messages of the installed package are older than this part of the protocol, which is alike for all signals. It is
read with a message of another protocol that has the same fields at the same numbers.
"""

from envoy.service.auth.v3.external_auth_pb2 import CheckResponse
from google.protobuf.message import DecodeError


def refused(answer: bytes) -> tuple[int, str]:
    """0 where nothing was, and where the answer is none that can be read: it came with a good status."""
    try:
        partial = CheckResponse.FromString(answer).status
    except DecodeError:
        return 0, ""
    return max(0, partial.code), partial.message
