"""What an attributemanifest says, as users wrote it. Read by its validator."""

from typing import Literal

from immutables import Map

from proa.core.config.record import ReadOnlySpec, Record

ValueType = Literal[
    "VALUE_TYPE_UNSPECIFIED",
    "STRING",
    "INT64",
    "DOUBLE",
    "BOOL",
    "TIMESTAMP",
    "IP_ADDRESS",
    "EMAIL_ADDRESS",
    "URI",
    "DNS_NAME",
    "DURATION",
    "STRING_MAP",
]


class AttributeInfo(Record, frozen=True, kw_only=True):
    SNAKE_TOO = True

    description: str = ""
    value_type: ValueType = "VALUE_TYPE_UNSPECIFIED"


class AttributeManifest(ReadOnlySpec, frozen=True, kw_only=True):
    """All manifests together are the vocabulary."""

    revision: str = ""
    name: str = ""
    attributes: Map[str, AttributeInfo] = Map()
