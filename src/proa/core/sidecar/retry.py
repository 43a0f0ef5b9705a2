"""How the control plane says "not now, come back in so many seconds", and how an agent reads it.

The words stand in the text of an UNAVAILABLE, where a person reads them too. A number that is missing, nonsense or
too large is the reader's to survive: it is a hint.
"""

import re
from typing import Final

LONGEST_S: Final = 30.0
"""No agent stays away longer than this because it was told so."""

_HINT: Final = re.compile(r"; retry in ([0-9]{1,6}(?:\.[0-9]{1,3})?) s$")


def with_retry(reason: str, seconds: float) -> str:
    """The reason with the hint behind it."""
    return f"{reason}; retry in {min(max(seconds, 0.0), LONGEST_S):.1f} s"


def retry_after(text: str) -> float:
    """The seconds in a text that `with_retry` made; 0 for any other."""
    found = _HINT.search(text)
    return min(float(found.group(1)), LONGEST_S) if found else 0.0
