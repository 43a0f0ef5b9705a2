"""One call as the wire has it."""

from proa.core.grpc_wire.messages import Messages


class Stream:
    """`window`: what we may send; `pending`: the message that waits for it. `receivable`: what the peer may send;
    `kept`: bytes that came and that no handler has taken; `is_half_closed`: the peer sends no more."""

    __slots__ = (
        "has_answered",
        "is_half_closed",
        "kept",
        "messages",
        "number",
        "pending",
        "receivable",
        "window",
    )

    def __init__(self, number: int, window: int, receivable: int) -> None:
        self.number = number
        self.window = window
        self.pending: memoryview | None = None
        self.has_answered = False
        self.receivable = receivable
        self.messages = Messages()
        self.kept = 0
        self.is_half_closed = False

    def take_from_window(self, size: int) -> bool:
        self.receivable -= size
        return self.receivable >= 0
