"""Where Mixer's rules run in this mesh, or in one of files: what `proa mixer explain` asks of the world."""

from collections.abc import Iterator

from immutables import Map

from proa.control_plane.world import World
from proa.core.config.near_names import suggestion
from proa.core.mixer.asked import Place
from proa.core.mixer.pushdown.callers import Callers
from proa.core.mixer.pushdown.explaining import (
    ExplainedRules,
    Site,
    explain_rules,
    supposed_caller,
    supposed_site,
)
from proa.core.model.names import ObjectRef
from proa.core.pilot.scope.inbound import inbound_view
from proa.core.pilot.scope.mixer import place_of
from proa.core.pilot.translate.inbound import mixer_places
from proa.servers.admin.mixer import RulesQuestion


class UnknownRule(ValueError):
    """No rule in force is called so; the message says who is near."""


def explain_rules_of(world: World, question: RulesQuestion, *, on_paper: bool = False) -> ExplainedRules:
    """`on_paper`: where no server is known, rules are looked at for servers that are what they demand."""
    rules, callers = world.mixer, world.callers
    only = _named(world, question.rule) if question.rule else None
    sites = tuple(_sites(world))
    remarks: list[str] = []
    if rules.is_idle:
        remarks.append("no rules are in force")
    elif on_paper and not sites:
        held = [rule for of in rules.plan.rules.values() for rule in of.rules]
        sites = tuple(dict(supposed_site(rule, rules.plan.root) for rule in held).items())
        found = (supposed_caller(rule) for rule in held)
        callers = Callers(Map({f"{each.name}.{each.namespace}": each for each in found if each}))
        remarks.append(
            "No WorkloadEntry of the files describes a server with a sidecar: servers and callers are taken to be what"
            " the rules demand."
        )
    return ExplainedRules(rules=explain_rules(rules, sites, callers, only), remarks=tuple(remarks))


def _sites(world: World) -> Iterator[tuple[Site, Place]]:
    """Everywhere that requests or connections come in."""
    snapshot = world.snapshot
    for _, workload in sorted(snapshot.workloads.items()):
        if workload.kind != "sidecar":
            continue
        for served in inbound_view(snapshot, world.index, workload).ports:
            place = place_of(workload, served.port, snapshot.settings.trust_domain, world.mixer.apis)
            for port, has_peer in mixer_places(served.port):
                yield Site(workload=workload.id, port=port, has_peer=has_peer), place
            yield Site(workload=workload.id, port=served.port.service_port, is_raw=True), place


def _named(world: World, word: str) -> ObjectRef:
    plan = world.mixer.plan
    known = [rule.ref for held in plan.rules.values() for rule in held.rules]
    found = [ref for ref in known if word in (ref.name, f"{ref.namespace}/{ref.name}")]
    if len(found) == 1:
        return found[0]
    names = sorted(f"{ref.namespace}/{ref.name}" for ref in found or known)
    if found:
        raise UnknownRule(f"{word} may be any of {', '.join(names)}; write one of them in full")
    near = suggestion(word, [*names, *(ref.name for ref in known)])
    raise UnknownRule(f"no rule that is in force is called {word}{near or '; proa analyze tells of others'}")
