"""Which known name a user most likely meant. Called wherever an unknown word is reported."""

from bisect import bisect
from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing when no known name is near. Case and separators do not count."""
    plain = {_plain(word): word for word in known}
    near = get_close_matches(_plain(name), plain, n=1, cutoff=0.6)
    return f'; did you mean "{plain[near[0]]}"?' if near else ""


def neighbours(name: str, ordered: Sequence[str]) -> Sequence[str]:
    """The few names about where this one would stand: whoever has thousands of names asks with these."""
    at = bisect(ordered, name)
    return ordered[max(0, at - 5) : at + 5]


def _plain(name: str) -> str:
    return name[:80].replace("_", "").replace("-", "").lower()
