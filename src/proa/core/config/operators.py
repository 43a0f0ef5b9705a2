"""Envoy's operators in values of headers, like `%DOWNSTREAM_REMOTE_ADDRESS%`: which there are, so that a proxy does not
refuse a rule for a misspelt one. The lists are those that Envoy 1.40 took when asked one by one (`--mode validate`).

Left out on purpose: ENVIRONMENT, which would show a proxy's environment to whoever may write a rule, and CEL.
"""

import re
from typing import Final

from proa.core.config.near_names import suggestion
from proa.core.config.tree import shorten

_PLAIN: Final = frozenset(
    """
    PROTOCOL RESPONSE_CODE RESPONSE_CODE_DETAILS CONNECTION_TERMINATION_DETAILS RESPONSE_FLAGS RESPONSE_FLAGS_LONG
    START_TIME START_TIME_LOCAL EMIT_TIME EMIT_TIME_LOCAL BYTES_RECEIVED BYTES_SENT DURATION REQUEST_DURATION
    RESPONSE_DURATION REQUEST_TX_DURATION RESPONSE_TX_DURATION DOWNSTREAM_HANDSHAKE_DURATION ROUNDTRIP_DURATION
    REQUEST_HEADERS_BYTES RESPONSE_HEADERS_BYTES RESPONSE_TRAILERS_BYTES UPSTREAM_WIRE_BYTES_SENT
    UPSTREAM_WIRE_BYTES_RECEIVED UPSTREAM_HEADER_BYTES_SENT UPSTREAM_HEADER_BYTES_RECEIVED
    DOWNSTREAM_WIRE_BYTES_SENT DOWNSTREAM_WIRE_BYTES_RECEIVED DOWNSTREAM_HEADER_BYTES_SENT
    DOWNSTREAM_HEADER_BYTES_RECEIVED UPSTREAM_REMOTE_ADDRESS UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT
    UPSTREAM_REMOTE_PORT UPSTREAM_LOCAL_ADDRESS UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT UPSTREAM_LOCAL_PORT
    UPSTREAM_HOST UPSTREAM_HOST_NAME UPSTREAM_HOST_NAME_WITHOUT_PORT UPSTREAM_CLUSTER UPSTREAM_CLUSTER_RAW
    UPSTREAM_PROTOCOL UPSTREAM_REQUEST_ATTEMPT_COUNT UPSTREAM_TRANSPORT_FAILURE_REASON UPSTREAM_CONNECTION_ID
    UPSTREAM_PEER_SUBJECT UPSTREAM_PEER_ISSUER UPSTREAM_PEER_CERT UPSTREAM_PEER_URI_SAN UPSTREAM_PEER_DNS_SAN
    UPSTREAM_TLS_CIPHER UPSTREAM_TLS_VERSION UPSTREAM_TLS_SESSION_ID UPSTREAM_HOSTS_ATTEMPTED
    UPSTREAM_DETECTED_CLOSE_TYPE UPSTREAM_CONNECTION_POOL_READY_DURATION DOWNSTREAM_REMOTE_ADDRESS
    DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_REMOTE_PORT DOWNSTREAM_DIRECT_REMOTE_ADDRESS
    DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_DIRECT_REMOTE_PORT DOWNSTREAM_LOCAL_ADDRESS
    DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT DOWNSTREAM_LOCAL_PORT DOWNSTREAM_DIRECT_LOCAL_ADDRESS CONNECTION_ID
    STREAM_ID REQUESTED_SERVER_NAME ROUTE_NAME VIRTUAL_CLUSTER_NAME HOSTNAME LOCAL_REPLY_BODY FILTER_CHAIN_NAME
    DOWNSTREAM_PEER_SUBJECT DOWNSTREAM_PEER_ISSUER DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_PEER_DNS_SAN
    DOWNSTREAM_PEER_IP_SAN DOWNSTREAM_PEER_EMAIL_SAN DOWNSTREAM_PEER_OTHERNAME_SAN DOWNSTREAM_LOCAL_URI_SAN
    DOWNSTREAM_LOCAL_DNS_SAN DOWNSTREAM_LOCAL_SUBJECT DOWNSTREAM_PEER_CERT DOWNSTREAM_PEER_CERT_V_START
    DOWNSTREAM_PEER_CERT_V_END DOWNSTREAM_PEER_SERIAL DOWNSTREAM_PEER_FINGERPRINT_256
    DOWNSTREAM_PEER_FINGERPRINT_1 DOWNSTREAM_TLS_CIPHER DOWNSTREAM_TLS_VERSION DOWNSTREAM_TLS_SESSION_ID
    DOWNSTREAM_TRANSPORT_FAILURE_REASON DOWNSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_DETECTED_CLOSE_TYPE TRACE_ID
    SPAN_ID GRPC_STATUS GRPC_STATUS_NUMBER UNIQUE_ID CUSTOM_FLAGS ACCESS_LOG_TYPE TLS_JA3_FINGERPRINT
    TLS_JA4_FINGERPRINT
    """.split()  # noqa: SIM905 - a hundred quotes say nothing
)
_HEADERS: Final = frozenset(("REQ", "RESP", "TRAILER"))
"""Take a header's name, one to fall back to behind a question mark, and a greatest length."""
_NAMED: Final = frozenset(
    (
        "DYNAMIC_METADATA",
        "CLUSTER_METADATA",
        "UPSTREAM_METADATA",
        "FILTER_STATE",
        "UPSTREAM_FILTER_STATE",
        "QUERY_PARAM",
    )
)
_OPERATOR = re.compile(r"%(?:%|([A-Z0-9_]+)(?:\(([^()\r\n]*)\))?(:\d{1,4})?%)")
_HEADER_ARGUMENT = re.compile(r":?[!#$&'*+.^_`|~0-9A-Za-z-]+(\?:?[!#$&'*+.^_`|~0-9A-Za-z-]+)?")


def operators_fault(value: str) -> str | None:
    """What is wrong with the operators of a value, in the words of a problem."""
    at = 0
    while (at := value.find("%", at)) >= 0:
        found = _OPERATOR.match(value, at)
        if found is None:
            return f'"{shorten(value[at:])}" is no operator; write %% for a percent sign'
        name, argument, length = found.groups()
        if name is not None and (fault := _fault(name, argument, length)):
            return fault
        at = found.end()
    return None


def _fault(name: str, argument: str | None, length: str | None) -> str | None:
    if name in _PLAIN:
        is_fine = argument is None and length is None
        return None if is_fine else f"%{name}% takes neither an argument nor a length; write it alone"
    if name in _HEADERS:
        is_fine = argument is not None and _HEADER_ARGUMENT.fullmatch(argument) is not None
        return None if is_fine else f"%{name}% needs a header's name; write %{name}(x-name)%"
    if name in _NAMED:
        is_fine = bool(argument) and length is None
        return None if is_fine else f"%{name}% needs a name; write %{name}(name)%"
    hint = suggestion(name, (*_PLAIN, *_HEADERS, *_NAMED)) or "; see the operators of Envoy's access log"
    return f"there is no operator %{shorten(name)}% for headers{hint}"
