"""What each function does to values. Compiled code calls these; all fail with an EvaluationError alone."""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NoReturn

import re2  # type: ignore[import-untyped]

from proa.core.attributes.addresses import parse_address
from proa.core.attributes.dns_names import dns_name_fault, same_dns_name
from proa.core.attributes.email_addresses import email_fault, same_email
from proa.core.attributes.time_texts import parse_timestamp
from proa.core.attributes.uris import same_uri, uri_fault
from proa.core.attributes.value_types import INT64_MAX, INT64_MIN, StringMap, Timestamp, Value, ValueType

Reason = Literal["absent", "wrong-type", "bad-value"]
# Patterns that are values of attributes; those that stand in the expression are compiled with it.
_PATTERNS = 256
# Subjects remembered per pattern: RE2 takes microseconds, and hosts and paths come again.
_SUBJECTS = 1024


class EvaluationError(Exception):
    """There is no value. `attribute`: the one that was absent or of another type than declared."""

    def __init__(self, reason: Reason, message: str, attribute: str = "") -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.attribute = attribute


def refuse(value: Value | None, name: str, wanted: str) -> NoReturn:
    """For a value that is None or not of the type that the attribute is declared with."""
    if value is None:
        raise EvaluationError("absent", f"lookup failed: '{name}'", name)
    raise EvaluationError("wrong-type", f"'{name}' is no {wanted} but a {type(value).__name__}", name)


def refuse_value(message: str) -> NoReturn:
    raise EvaluationError("bad-value", message)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 70 else text[:67] + "...")


def ip(text: str) -> bytes:
    address = parse_address(text)
    return refuse_value(f"{_shown(text)} is no IP address") if address is None else address


def timestamp(text: str) -> Timestamp:
    point = parse_timestamp(text)
    return refuse_value(f"{_shown(text)} is no time in RFC 3339") if point is None else point


def dns_name(text: str) -> str:
    fault = dns_name_fault(text)
    return refuse_value(f"{_shown(text)} is no DNS name: {fault}") if fault else text


def email(text: str) -> str:
    fault = email_fault(text)
    return refuse_value(f"{_shown(text)} is no e-mail address: {fault}") if fault else text


def uri(text: str) -> str:
    fault = uri_fault(text)
    return refuse_value(f"{_shown(text)} is no URI: {fault}") if fault else text


def _comparing(same: Callable[[str, str], bool]) -> Callable[[str, str], bool]:
    def compare(first: str, second: str) -> bool:
        try:
            return same(first, second)
        except ValueError as error:
            raise EvaluationError("bad-value", str(error)) from None

    return compare


SAME = {
    ValueType.DNS_NAME: _comparing(same_dns_name),
    ValueType.EMAIL_ADDRESS: _comparing(same_email),
    ValueType.URI: _comparing(same_uri),
}


def glob_match(text: str, pattern: str) -> bool:
    """One star: at the end it stands for any end, else at the beginning for any beginning."""
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text.endswith(pattern[1:]) if pattern.startswith("*") else text == pattern


def searcher(pattern: str) -> Callable[[str], bool]:
    """Whether a text has a match anywhere. Raises EvaluationError for what is not RE2."""
    options = re2.Options()
    options.log_errors = False
    try:
        search = re2.compile(pattern, options).search
    except (re2.error, ValueError) as error:
        text = error.args[0] if error.args else ""
        reason = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        refuse_value(f"{_shown(pattern)} is no RE2 expression: {reason}")

    @lru_cache(maxsize=_SUBJECTS)
    def found(text: str) -> bool:
        return search(text) is not None

    return found


@lru_cache(maxsize=_PATTERNS)
def _known_searcher(pattern: str) -> Callable[[str], bool]:
    return searcher(pattern)


def matches(pattern: str, text: str) -> bool:
    return _known_searcher(pattern)(text)


def wrapped(number: int) -> int:
    """INT64 wraps around, as Go's does."""
    if INT64_MIN <= number <= INT64_MAX:
        return number
    return (number - INT64_MIN) % 2**64 + INT64_MIN


def total_int(numbers: tuple[int, ...]) -> int:
    return wrapped(sum(numbers))


def total_double(numbers: tuple[float, ...]) -> float:
    """From left to right, with all the rounding."""
    total = numbers[0]
    for number in numbers[1:]:
        total += number
    return total


def choose(condition: bool, first: str, second: str) -> str:
    """Both are values already: conditionalString evaluates all of its arguments."""
    return first if condition else second


def to_lower(text: str) -> str:
    """Character by character, as Go does: none becomes two, and none depends on its neighbours."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := char.lower()) == 1 else low[0] for char in text)


def size(text: str) -> int:
    """In bytes of UTF-8."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


# -- what CEL has beside Mixer --

_LOW = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def lower_ascii(text: str) -> str:
    return text.translate(_LOW)


def required(content: StringMap, key: str) -> str:
    value = content.get(key)
    if value is None:
        raise EvaluationError("absent", f"there is no key {_shown(key)}")
    return value


def any_of(*operands: Callable[[], bool]) -> bool:
    """True when one is, whatever fails; else the first failure, if there is one."""
    return _decided(operands, True)


def all_of(*operands: Callable[[], bool]) -> bool:
    return _decided(operands, False)


def _decided(operands: tuple[Callable[[], bool], ...], decisive: bool) -> bool:
    failed: EvaluationError | None = None
    for operand in operands:
        try:
            if operand() is decisive:
                return decisive
        except EvaluationError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return not decisive
