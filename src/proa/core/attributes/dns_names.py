"""Whether a text is a DNS name, and whether two are the same one, as internationalised names are looked up (UTS 46)."""

from functools import lru_cache

import idna

_LONGEST_NAME = 253
_LONGEST_LABEL = 63
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")


def dns_name_fault(text: str) -> str | None:
    """None, or why the text is no DNS name. One trailing dot is the root. Nothing is rewritten, case included."""
    name = text.removesuffix(".")
    if not name:
        return "it is empty"
    try:
        lengths = [_carried_length(label) for label in name.split(".")]
    except _NotALabel as error:
        return str(error)
    if 0 in lengths:
        return "a part between two dots is empty"
    if max(lengths) > _LONGEST_LABEL:
        return f"a part is longer than {_LONGEST_LABEL} characters"
    length = sum(lengths) + len(lengths) - 1
    return None if length <= _LONGEST_NAME else f"it is longer than {_LONGEST_NAME} characters"


class _NotALabel(Exception):
    """Its text is the reason."""


def _carried_length(label: str) -> int:
    """Of a label as DNS carries it. An empty one and a long one are no fault here."""
    if label.startswith("-") or label.endswith("-"):
        raise _NotALabel(f'the part "{label[:70]}" begins or ends with a hyphen')
    carried = label
    if not label.isascii() or label[:4].lower() == "xn--":
        try:
            carried = idna.alabel(idna.uts46_remap(label, std3_rules=True, transitional=False)).decode()
        except (idna.IDNAError, UnicodeError):
            raise _NotALabel(f'the part "{label[:70]}" is no internationalised name') from None
    elif not _LETTERS.issuperset(label):
        raise _NotALabel(f'the part "{label[:70]}" has other characters than letters, digits and hyphens')
    elif label[2:4] == "--":
        raise _NotALabel(f'the part "{label[:70]}" has hyphens in the third and fourth place')
    return len(carried)


def same_dns_name(first: str, second: str) -> bool:
    """Case does not count, spelling as `xn--` neither, nor a trailing dot that only one has. Raises ValueError for
    what cannot be looked up; lengths and empty parts do not hinder that."""
    one, other = _looked_up(first), _looked_up(second)
    if one.endswith(".") != other.endswith("."):
        one, other = one.removesuffix("."), other.removesuffix(".")
    return one == other


@lru_cache(maxsize=1024)
def _looked_up(text: str) -> str:
    try:
        for label in text.split("."):
            _carried_length(label)
    except _NotALabel as error:
        raise ValueError(f'"{text[:70]}" is no DNS name: {error}') from None
    if text.isascii() and "xn--" not in text.lower():
        return text.lower()
    mapped = idna.uts46_remap(text, std3_rules=True, transitional=False)
    return ".".join(idna.ulabel(label) if label else "" for label in mapped.split("."))
