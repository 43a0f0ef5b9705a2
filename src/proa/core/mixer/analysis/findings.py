"""All checks of Mixer's objects, as one check of a world. The command line hands it to `analyze`."""

from collections.abc import Callable, Iterator

import msgspec
from immutables import Map

from proa.core.config.analyze.message import Message
from proa.core.config.analyze.world import World
from proa.core.config.mixer.catalogue import Catalogue
from proa.core.config.mixer.references import canonical
from proa.core.mixer.analysis.cost import check_cost
from proa.core.mixer.analysis.quotas import check_quotas
from proa.core.mixer.analysis.series import check_series
from proa.core.mixer.analysis.specs import check_specs
from proa.core.mixer.plan.compiling import Compiled, compile_plan


def mixer_check(catalogue: Catalogue) -> Callable[[World], Iterator[Message]]:
    """`catalogue` has the adapters of this installation."""

    def check(world: World) -> Iterator[Message]:
        compiled = compile_plan(world.configs, as_if_all_ran(catalogue))
        yield from compiled.messages
        yield from check_quotas(compiled)
        yield from check_series(compiled)
        yield from check_cost(compiled)
        yield from check_specs(world.configs, compiled)
        yield from _unused(compiled)

    return check


def as_if_all_ran(catalogue: Catalogue) -> Catalogue:
    """A rule is looked at whether or not its adapter runs here; that it does not is told with the handler's kind."""
    kinds = catalogue.adapters.items()
    return Catalogue(Map({name: msgspec.structs.replace(kind, missing="") for name, kind in kinds}))


def _unused(compiled: Compiled) -> Iterator[Message]:
    """Handlers and instances that no rule names, or only rules that are left out."""
    objects, plan = compiled.objects, compiled.plan
    if not objects.rules:
        return  # files of handlers alone are no slip: their rules are elsewhere
    for refs, used, what in (
        (objects.handlers, plan.handlers, "handler"),
        (objects.instances, plan.instances, "instance"),
    ):
        for ref in refs:
            if canonical(ref) not in used:
                yield Message(ref, (), "mixer-unused", f"no rule that is in force uses this {what}")
