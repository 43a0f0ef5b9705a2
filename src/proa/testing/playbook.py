"""Stories about sans-I/O machines: `>>` is what happens to the machine, `<<` is what it must then do.

    story = Playbook()
    story >> server.receive(first_request) << Subscribed(...) << response(...)
    story >> server.receive(ack) << Acked(...)
    story.ends()

`>>` takes the actions the machine returned for one event; each `<<` takes away the next of them and compares.
An event whose actions are not all told fails the story at the next `>>` or at `ends()`, so silence is asserted
too. A `<<` may also take a predicate, a function from the action to bool, or `ANY`.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class StoryError(AssertionError):
    """The machine did something else than the story says."""


class _Any:
    def __repr__(self) -> str:
        return "ANY"


ANY = _Any()


class Playbook(Generic[T]):
    """`view` turns an action into what the story compares, for example bytes into a readable message."""

    def __init__(self, view: Callable[[T], object] | None = None) -> None:
        self._view = view
        self._left: list[object] = []
        self._told: list[str] = []

    def __rshift__(self, actions: Iterable[T]) -> "Playbook[T]":
        self.ends()
        view = self._view
        self._left = [action if view is None else view(action) for action in actions]
        self._told.append(">> event")
        return self

    def __lshift__(self, expected: object) -> "Playbook[T]":
        if not self._left:
            raise StoryError(self._tale(f"expected {expected!r}, but the machine did nothing more"))
        actual = self._left.pop(0)
        is_match = expected is ANY or (expected(actual) if callable(expected) else actual == expected)
        if not is_match:
            raise StoryError(
                self._tale(f"expected {expected!r}\n  but got {actual!r}\n  then {self._left!r}")
            )
        self._told.append(f"   << {actual!r}")
        return self

    def ends(self) -> None:
        """The machine did nothing that was not told."""
        if self._left:
            raise StoryError(self._tale(f"not told: {self._left!r}"))

    def _tale(self, fault: str) -> str:
        return "\n".join([*self._told[-12:], fault])
