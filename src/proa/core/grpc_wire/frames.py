"""HTTP/2 frames as bytes: the numbers of RFC 9113 that a server needs, and the frames it writes."""

import struct
from enum import IntEnum
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD: Final = struct.Struct(">HBBBI")
"""A frame's header: length (in two parts, it has 24 bits), type, flags, stream."""
HEAD_SIZE: Final = 9
STREAM_MASK: Final = 2**31 - 1
LARGEST_WINDOW: Final = 2**31 - 1
DEFAULT_WINDOW: Final = 65_535
SMALLEST_MAX_FRAME: Final = 16_384
LARGEST_MAX_FRAME: Final = 2**24 - 1

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20

_SETTING: Final = struct.Struct(">HI")


class ErrorCode(IntEnum):
    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class Setting(IntEnum):
    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Misbehaved(Exception):
    """The peer broke the protocol in a way that ends the connection."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings_frame(values: dict[Setting, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(key, value) for key, value in values.items()))


def window_frame(stream: int, more: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, more.to_bytes(4, "big"))


def reset_frame(stream: int, code: ErrorCode) -> bytes:
    return frame(RST_STREAM, 0, stream, int(code).to_bytes(4, "big"))


def goodbye_frame(last_stream: int, code: ErrorCode, reason: str) -> bytes:
    return frame(GOAWAY, 0, 0, struct.pack(">II", last_stream, code) + reason.encode())


def read_settings(payload: bytes) -> dict[int, int]:
    """The peer's settings, unknown ones too. Raises Misbehaved for values that RFC 9113 6.5.2 forbids."""
    if len(payload) % _SETTING.size:
        raise Misbehaved(ErrorCode.FRAME_SIZE_ERROR, "settings come in six bytes each")
    found = dict(_SETTING.iter_unpack(payload))
    if found.get(Setting.ENABLE_PUSH, 0) > 1:
        raise Misbehaved(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is 0 or 1")
    if found.get(Setting.INITIAL_WINDOW_SIZE, 0) > LARGEST_WINDOW:
        raise Misbehaved(ErrorCode.FLOW_CONTROL_ERROR, "the initial window is too large")
    largest = found.get(Setting.MAX_FRAME_SIZE, SMALLEST_MAX_FRAME)
    if not SMALLEST_MAX_FRAME <= largest <= LARGEST_MAX_FRAME:
        raise Misbehaved(ErrorCode.PROTOCOL_ERROR, "the largest frame is out of bounds")
    return found


def unpadded(flags: int, payload: bytes) -> bytes:
    """What a padded frame carries. Raises Misbehaved when the padding is longer than the frame."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise Misbehaved(ErrorCode.PROTOCOL_ERROR, "the padding is longer than its frame")
    return payload[1 : len(payload) - payload[0]]


def check(holds: bool, reason: str, code: ErrorCode = ErrorCode.PROTOCOL_ERROR) -> None:
    """Raises Misbehaved when it does not."""
    if not holds:
        raise Misbehaved(code, reason)
