"""What Mixer's rules say, as users wrote them. Read by their validator and by plans."""

from typing import Annotated, ClassVar

from proa.core.config.record import Filled, NotEmpty, ReadOnlySpec, Record


class Action(Record, frozen=True, kw_only=True):
    """`handler` is `name.adapter`, or with the namespace behind; `instances` are `name.template`."""

    handler: Filled
    instances: Annotated[tuple[Filled, ...], NotEmpty()]


class Rule(ReadOnlySpec, frozen=True, kw_only=True):
    """No `match`: always."""

    match: str = ""
    actions: tuple[Action, ...] = ()


class CelRule(Rule, frozen=True, kw_only=True):
    """Proa's own kind MixerRule: the same with a `match` in CEL."""

    LANGUAGE: ClassVar[str] = "Proa"
