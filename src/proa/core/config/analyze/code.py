"""What a code of `proa analyze` is. The tables of codes are made of these."""

from typing import Literal

import msgspec

Level = Literal["error", "warning", "info"]


class Code(msgspec.Struct, frozen=True):
    """`means` and `todo` are sentences for the docs."""

    level: Level
    istio: str
    title: str
    means: str
    todo: str
