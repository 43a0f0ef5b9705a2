"""How the one foreign type of our messages and files travels as JSON: a Map of texts is an object of texts.

Hooks for msgspec's encoders and decoders.
"""

from immutables import Map
from msgspec import convert


def plain_map(value: object) -> object:
    """Sorted, so that equal values have equal bytes."""
    if isinstance(value, Map):
        return dict(sorted(value.items()))
    raise NotImplementedError(f"{type(value).__name__} has no JSON here")


def typed_map(kind: type, value: object) -> object:
    """Raises msgspec.ValidationError for anything but an object of texts."""
    return Map(convert(value, dict[str, str]))
