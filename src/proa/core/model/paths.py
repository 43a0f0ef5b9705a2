"""Paths that two readers in a row read apart, although each does the same: `..` and `.` with parameters.

Proxies follow such segments, as many programs do, but not those that were escaped: `/a/%2e%2e;x/b` becomes `/a/..;x/b`
at one proxy and `/b` at the next, or in a program. A rule that looked at the first would not hold for the second. They
are all there is: whatever else a proxy has made canonical stays as it is (a law of tests/mesh/test_attacks.py). So a
path that has one left, made canonical, is refused.
"""

from typing import Final

DOTS_WITH_PARAMETERS: Final = ("/..;", "/.;")
READ_TWICE: Final = "dots-with-parameters"
"""Names the refusal, where those of policies are named by a rule."""


def is_read_twice(path: str) -> bool:
    """`path` is canonical, its query may be there."""
    bare = path.partition("?")[0]
    return any(dots in bare for dots in DOTS_WITH_PARAMETERS)
