"""How a port fails: for a while, or for good. Everything else an adapter raises is a bug and propagates.

An adapter maps its outside world's exceptions to these in one visible table; callers decide by the class alone.
"""


class StoreFailure(Exception):
    """Says what failed, in words an operator can act on."""


class StoreTemporary(StoreFailure):
    """The same call may succeed later; nothing was changed by this one. Wait `retry_after` seconds first."""

    def __init__(self, message: str, retry_after: float = 0.5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StorePermanent(StoreFailure):
    """Trying again will not help: somebody must change a file, a right or a program first."""


class HandlerFailure(Exception):
    """A policy adapter's handler could not do what it was asked. Says what failed, in words an operator can act on; the
    rule that asked says what happens then."""


class HandlerTemporary(HandlerFailure):
    """The same call may succeed later; nothing was changed by this one, unless its answer was lost on the way."""


class HandlerPermanent(HandlerFailure):
    """Trying again will not help: somebody must change the configuration or a right first."""
