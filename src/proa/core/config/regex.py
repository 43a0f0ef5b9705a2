"""Regular expressions as Envoy will judge them: RE2's syntax and Envoy's own two limits.

Envoy 1.40 refuses an empty expression and one whose compiled program is larger than 100 instructions (runtime key
`re2.max_program_size.error_level`); Python's `re` would take expressions that RE2 does not. The one module that
touches the untyped binding.
"""

import re2  # type: ignore[import-untyped]

MAX_PROGRAM_SIZE = 100


def regex_fault(pattern: str) -> tuple[str, str] | None:
    """None, or a Problem's code and message."""
    if not pattern:
        return "bad-regex", "an empty regex is refused by the proxy; remove it or write .*"
    options = re2.Options()
    options.log_errors = False
    try:
        size: int = re2.compile(pattern, options).programsize
    except (re2.error, ValueError) as error:
        text = error.args[0] if error.args else ""
        reason = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        return "bad-regex", f"not an RE2 expression: {reason}; RE2 has no look-around and no back references"
    if size > MAX_PROGRAM_SIZE:
        message = f"the regex compiles to {size} instructions, the proxy takes {MAX_PROGRAM_SIZE}; simplify or split it"
        return "regex-too-large", message
    return None


def substitution_fault(pattern: str, substitution: str) -> tuple[str, str] | None:
    r"""None, or what is wrong with `\1` and its kin. `pattern` is a good one."""
    groups: int = re2.compile(pattern).groups
    rest = iter(substitution)
    for char in rest:
        if char != "\\":
            continue
        following = next(rest, "")
        if following == "\\":
            continue
        if not following.isascii() or not following.isdigit():
            return "bad-value", "a backslash stands before a group's number; write two for itself"
        if int(following) > groups:
            return "bad-value", f"there is no group {following}; the expression has {groups}"
    return None
