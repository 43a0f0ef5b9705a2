"""The words a kind's schema is written in: the base struct and the marks on its fields.

Every schema module uses them; `fields` reads them. What a struct lists is what users may write; a field that Istio
knows and Proa does not serve yet stands in NOT_YET, so that it is refused with that reason and not as a typing error,
and in NOT_YET_BECAUSE where more is to be said of it.
GONE has the fields of old kinds that nothing can serve, each with why and what to do. IDLE has the fields that are read
and do nothing, each with why; REFUSED those that are read and then refused whatever they say, because what they would
need is not there. SNAKE_TOO is of kinds of 2018, whose fields users also wrote by protobuf's own names.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of every struct that users write. A field without a default is required; names are Istio's camelCase."""

    LANGUAGE: ClassVar[str] = "Istio"
    NOT_YET: ClassVar[tuple[str, ...]] = ()
    NOT_YET_BECAUSE: ClassVar[Mapping[str, str]] = MappingProxyType({})
    GONE: ClassVar[Mapping[str, str]] = MappingProxyType({})
    IDLE: ClassVar[Mapping[str, str]] = MappingProxyType({})
    REFUSED: ClassVar[Mapping[str, str]] = MappingProxyType({})
    SNAKE_TOO: ClassVar[bool] = False


class ReadOnlySpec(Record, frozen=True, kw_only=True):
    """Base of the specs of kinds of which the rows of the table alone say whether anything acts on them: Mixer's, and
    those that are read and checked and do not take effect."""


class Within(msgspec.Struct, frozen=True):
    """Mark of a number: both bounds are allowed."""

    lowest: int
    highest: int


class Milliseconds(msgspec.Struct, frozen=True):
    """Mark of a whole number that users write as a duration (`1m30s`). Istio refuses less than a millisecond."""

    lowest: int = 1


class LaterWords(msgspec.Struct, frozen=True):
    """Mark of a Literal: words that Istio has and Proa does not serve yet, and why if that is no matter of time."""

    words: tuple[str, ...]
    why: str = ""


class Numbered(msgspec.Struct, frozen=True):
    """Mark of a Literal whose words stand in the order of protobuf's numbers, by which users of 2018 wrote them too."""


class NotEmpty(msgspec.Struct, frozen=True):
    """Mark of a text, list or map that must hold something when it is written at all."""


class FreeForm(msgspec.Struct, frozen=True):
    """Mark of a text that is an object of the user's own making, kept as JSON in one spelling."""


class NullIsEmpty(msgspec.Struct, frozen=True):
    """Mark of a struct that users of 2018 wrote as a name with nothing behind it (`mtls:`)."""


# A port that something listens on: 0 names none.
Port = Annotated[int, Within(1, 65535)]
Duration = Annotated[int, Milliseconds()]
# Where 0 means "none" and absence the default.
DurationOrZero = Annotated[int, Milliseconds(0)]
# Protobuf's integers as Istio declares them; a negative int32 is refused where it means nothing.
Int32 = Annotated[int, Within(-(2**31), 2**31 - 1)]
Int64 = Annotated[int, Within(-(2**63), 2**63 - 1)]
Double = Annotated[float, Within(-(10**300), 10**300)]
Count = Annotated[int, Within(0, 2**31 - 1)]
Count32 = Annotated[int, Within(0, 2**32 - 1)]
PercentInt = Annotated[int, Within(0, 100)]
PercentFloat = Annotated[float, Within(0, 100)]
Filled = Annotated[str, NotEmpty()]
FreeObject = Annotated[str, FreeForm()]
