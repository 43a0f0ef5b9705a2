"""The part of `metadata` that means something to Proa. Read from documents here, by `config`."""

import msgspec
from immutables import Map


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """An object's name in its namespace; labels and annotations as written."""

    name: str
    namespace: str
    labels: Map[str, str] = Map()
    annotations: Map[str, str] = Map()
