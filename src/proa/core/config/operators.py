"""Envoy's operators in values of headers and in formats of access logs, like `%DOWNSTREAM_REMOTE_ADDRESS%`: which there
are and what they may be asked, so that no proxy refuses for a misspelt one what we took. What stands here is what Envoy
1.40 took when asked one by one; it has one language for both places.

Left out on purpose: CEL and COALESCE, whose arguments are languages of their own.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from proa.core.config.near_names import suggestion
from proa.core.config.tree import shorten

_PLAIN: Final = frozenset(
    """
    PROTOCOL RESPONSE_CODE RESPONSE_CODE_DETAILS CONNECTION_TERMINATION_DETAILS RESPONSE_FLAGS
    RESPONSE_FLAGS_LONG BYTES_RECEIVED BYTES_SENT DURATION REQUEST_DURATION RESPONSE_DURATION
    REQUEST_TX_DURATION RESPONSE_TX_DURATION DOWNSTREAM_HANDSHAKE_DURATION ROUNDTRIP_DURATION
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
    STREAM_ID ROUTE_NAME VIRTUAL_CLUSTER_NAME HOSTNAME LOCAL_REPLY_BODY FILTER_CHAIN_NAME
    DOWNSTREAM_PEER_SUBJECT DOWNSTREAM_PEER_ISSUER DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_PEER_DNS_SAN
    DOWNSTREAM_PEER_IP_SAN DOWNSTREAM_PEER_EMAIL_SAN DOWNSTREAM_PEER_OTHERNAME_SAN DOWNSTREAM_LOCAL_URI_SAN
    DOWNSTREAM_LOCAL_DNS_SAN DOWNSTREAM_LOCAL_SUBJECT DOWNSTREAM_PEER_CERT DOWNSTREAM_PEER_SERIAL
    DOWNSTREAM_PEER_FINGERPRINT_256 DOWNSTREAM_PEER_FINGERPRINT_1 DOWNSTREAM_TLS_CIPHER DOWNSTREAM_TLS_VERSION
    DOWNSTREAM_TLS_SESSION_ID DOWNSTREAM_TRANSPORT_FAILURE_REASON DOWNSTREAM_LOCAL_CLOSE_REASON
    DOWNSTREAM_DETECTED_CLOSE_TYPE TRACE_ID SPAN_ID GRPC_STATUS_NUMBER UNIQUE_ID CUSTOM_FLAGS ACCESS_LOG_TYPE
    TLS_JA3_FINGERPRINT TLS_JA4_FINGERPRINT UPSTREAM_PEER_IP_SAN UPSTREAM_LOCAL_URI_SAN UPSTREAM_LOCAL_DNS_SAN
    UPSTREAM_LOCAL_IP_SAN DOWNSTREAM_LOCAL_IP_SAN DOWNSTREAM_LOCAL_EMAIL_SAN DOWNSTREAM_LOCAL_OTHERNAME_SAN
    DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT DOWNSTREAM_DIRECT_LOCAL_PORT
    DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID
    UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED
    DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED
    UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT UPSTREAM_HOST_NAMES_ATTEMPTED UPSTREAM_CONNECTION_IDS_ATTEMPTED
    UPSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256 DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1
    DOWNSTREAM_PEER_CHAIN_SERIALS
    """.split()  # noqa: SIM905 - a hundred quotes say nothing
)
_OPERATOR = re.compile(r"%(?:%|([A-Z0-9_]+)(?:\(([^()\r\n]*)\))?(:\d{1,9})?%)")
_TOKEN: Final = r":?[!#$&'*+.^_`|~0-9A-Za-z-]+"


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind an operator's name: an argument of this form, and perhaps a greatest length."""

    argument: re.Pattern[str]
    example: str
    is_needed: bool = True
    may_be_cut: bool = False


_HEADER: Final = _Asked(
    argument=re.compile(rf"{_TOKEN}(\?{_TOKEN})?"), example="a header's name: (x-name)", may_be_cut=True
)
_TIME: Final = _Asked(argument=re.compile(".*"), example="a form of times: (%Y-%m-%d)", is_needed=False)
_STATE: Final = _Asked(
    argument=re.compile(r"[^:]+(:(PLAIN|TYPED|FIELD:.+)?)?"),
    example="a name, and perhaps PLAIN, TYPED or FIELD: (name:PLAIN)",
    may_be_cut=True,
)
_METADATA: Final = re.compile(".+")
_NAME: Final = "a name: (name)"
_ASKED: Final[Mapping[str, _Asked]] = {
    **dict.fromkeys(("REQ", "RESP", "TRAILER"), _HEADER),
    **dict.fromkeys(("START_TIME", "START_TIME_LOCAL", "EMIT_TIME", "EMIT_TIME_LOCAL"), _TIME),
    **dict.fromkeys(("DOWNSTREAM_PEER_CERT_V_START", "DOWNSTREAM_PEER_CERT_V_END"), _TIME),
    **dict.fromkeys(("UPSTREAM_PEER_CERT_V_START", "UPSTREAM_PEER_CERT_V_END"), _TIME),
    **dict.fromkeys(("FILTER_STATE", "UPSTREAM_FILTER_STATE"), _STATE),
    **dict.fromkeys(("CLUSTER_METADATA", "UPSTREAM_METADATA"), _Asked(argument=_METADATA, example=_NAME)),
    **dict.fromkeys(
        ("DYNAMIC_METADATA", "QUERY_PARAM"), _Asked(argument=_METADATA, example=_NAME, may_be_cut=True)
    ),
    "METADATA": _Asked(
        argument=re.compile(
            "(ROUTE|CLUSTER|DYNAMIC|UPSTREAM_HOST|LISTENER|LISTENER_FILTER_CHAIN|VIRTUAL_HOST)(:.*)?"
        ),
        example="whose it is, and a name: (ROUTE:name)",
        may_be_cut=True,
    ),
    "COMMON_DURATION": _Asked(
        argument=re.compile("[^:]*:[^:]*:(ms|us|ns)"),
        example="two moments and a unit: (DS_RX_BEG:DS_TX_END:ms)",
    ),
    "PATH": _Asked(
        argument=re.compile("(WQ|NQ)(:(ORIG|PATH|ORIG_OR_PATH))?"),
        example="WQ or NQ, and which path: (NQ:ORIG)",
        is_needed=False,
        may_be_cut=True,
    ),
    "QUERY_PARAMS": _Asked(
        argument=re.compile("ORIG|DECODED"), example="ORIG or DECODED", is_needed=False, may_be_cut=True
    ),
    "REQUESTED_SERVER_NAME": _Asked(
        argument=re.compile("(SNI_ONLY|SNI_FIRST|HOST_FIRST)(:(ORIG|HOST|ORIG_OR_HOST))?"),
        example="what counts first: (SNI_FIRST:HOST)",
        is_needed=False,
    ),
    "GRPC_STATUS": _Asked(
        argument=re.compile("CAMEL_STRING|SNAKE_STRING|NUMBER"),
        example="CAMEL_STRING, SNAKE_STRING or NUMBER",
        is_needed=False,
    ),
}
_OPERATORS_OWN: Final[Mapping[str, _Asked]] = {
    "ENVIRONMENT": _Asked(argument=re.compile(".+"), example="a variable: (NAME)", may_be_cut=True)
}
"""For what the mesh's operator writes alone: they would show a proxy's environment to whoever may write a rule."""


def operators_fault(value: str, *, of_operator: bool = False) -> str | None:
    """What is wrong with the operators of a value, in the words of a problem. `of_operator`: in what only the mesh's
    operator writes."""
    asked = {**_ASKED, **_OPERATORS_OWN} if of_operator else _ASKED
    at = 0
    while (at := value.find("%", at)) >= 0:
        found = _OPERATOR.match(value, at)
        if found is None:
            return f'"{shorten(value[at:])}" is no operator; write %% for a percent sign'
        name, argument, length = found.groups()
        if name is not None and (fault := _fault(name, argument or "", length, asked)):
            return fault
        at = found.end()
    return None


def _fault(name: str, argument: str, length: str | None, known: Mapping[str, _Asked]) -> str | None:
    """Of one operator. Envoy takes empty parentheses for none."""
    if name in _PLAIN:
        is_fine = not argument and length is None
        return None if is_fine else f"%{name}% takes neither an argument nor a length; write it alone"
    asked = known.get(name)
    if asked is None:
        hint = suggestion(name, (*_PLAIN, *known)) or "; see the operators of Envoy's access log"
        return f"there is no operator %{shorten(name)}% here{hint}"
    if argument and asked.argument.fullmatch(argument) is None:
        return f"%{name}({shorten(argument)})% is not understood; write {asked.example}"
    if asked.is_needed and not argument:
        return f"%{name}% needs an argument; write {asked.example}"
    if length is not None and not asked.may_be_cut:
        return f"%{name}% cannot be cut to a length; write it without {length}"
    return None
