"""What Mixer's rule says, as users wrote it. Read by its validator."""

from typing import Annotated

from proa.core.config.record import Filled, NotEmpty, ReadOnlySpec, Record


class Action(Record, frozen=True, kw_only=True):
    """`handler` is `name.adapter`, or with the namespace behind; `instances` are `name.template`."""

    handler: Filled
    instances: Annotated[tuple[Filled, ...], NotEmpty()]


class Rule(ReadOnlySpec, frozen=True, kw_only=True):
    """No `match`: always."""

    match: str = ""
    actions: tuple[Action, ...] = ()
