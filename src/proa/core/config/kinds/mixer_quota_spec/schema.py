"""What QuotaSpec and QuotaSpecBinding say, as users wrote them. Read by their validators."""

from typing import Annotated

from immutables import Map

from proa.core.config.istio_service import IstioService, NamedSpec
from proa.core.config.record import Filled, Int64, NotEmpty, ReadOnlySpec, Record


class StringMatch(Record, frozen=True, kw_only=True):
    """One of the three; the regular expression must fit the whole value."""

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class AttributeMatch(Record, frozen=True, kw_only=True):
    """All attributes must fit."""

    clause: Map[str, StringMatch] = Map()


class Quota(Record, frozen=True, kw_only=True):
    quota: Filled
    charge: Int64 = 1


class QuotaRule(Record, frozen=True, kw_only=True):
    """Any of `match` (none: always)."""

    match: tuple[AttributeMatch, ...] = ()
    quotas: Annotated[tuple[Quota, ...], NotEmpty()]


class QuotaSpec(ReadOnlySpec, frozen=True, kw_only=True):
    rules: Annotated[tuple[QuotaRule, ...], NotEmpty()]


class QuotaSpecBinding(ReadOnlySpec, frozen=True, kw_only=True):
    SNAKE_TOO = True

    services: Annotated[tuple[IstioService, ...], NotEmpty()]
    quota_specs: Annotated[tuple[NamedSpec, ...], NotEmpty()]
