"""Kubernetes' rules for names, labels and selectors. Callers are `meta` and the kinds' validators."""

import re
from collections.abc import Iterator, Mapping

from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def is_object_name(text: str) -> bool:
    """RFC 1123 subdomain, lower case, at most 253."""
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


def is_namespace_name(text: str) -> bool:
    """RFC 1123 label, lower case, at most 63."""
    return len(text) <= 63 and _DNS_LABEL.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """`name` or `prefix.example.com/name`."""
    prefix, slash, name = text.rpartition("/")
    if slash and not is_object_name(prefix):
        return False
    return len(name) <= 63 and _QUALIFIED.fullmatch(name) is not None


def is_label_value(text: str) -> bool:
    return text == "" or (len(text) <= 63 and _QUALIFIED.fullmatch(text) is not None)


def check_labels(labels: Mapping[str, str], at: Path) -> Iterator[Finding]:
    """Keys and values as Kubernetes takes them."""
    for key, value in labels.items():
        if not is_label_key(key):
            message = (
                f'"{shorten(key)}" is no label key; write letters, digits, - _ . (at most 63), or prefix/name'
            )
            yield Finding((*at, key), "bad-value", message)
        if not is_label_value(value):
            message = f'"{shorten(value)}" is no label value; write letters, digits, - _ . (at most 63)'
            yield Finding((*at, key), "bad-value", message)


def check_selector(labels: Mapping[str, str], at: Path) -> Iterator[Finding]:
    """Labels to be matched; a wildcard would match nothing, so it gets its own words."""
    plain = {key: value for key, value in labels.items() if "*" not in key + value}
    for key in labels:
        if key not in plain:
            yield Finding((*at, key), "bad-value", "a selector knows no wildcard; write the whole label")
    yield from check_labels(plain, at)
