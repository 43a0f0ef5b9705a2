"""Roles of 2018 that come to nothing: a binding without its role, a role without a binding, and roles that nobody asks
for because no RbacConfig is on where they are."""

from collections.abc import Iterable, Iterator

from proa.core.config.analyze.message import Message
from proa.core.config.analyze.world import World
from proa.core.config.config import Config
from proa.core.config.kinds.mixer_out_of_process.schema import Handler
from proa.core.config.kinds.rbac_2018.schema import RbacConfig, RbacTarget, ServiceRole, ServiceRoleBinding
from proa.core.config.mixer.parameters import Rbac
from proa.core.model.names import DOMAIN_SUFFIX


def check_roles(world: World) -> Iterator[Message]:
    roles = [each for each in world.configs if isinstance(each.spec, ServiceRole)]
    names = {(each.meta.namespace, each.meta.name) for each in roles}
    bound: set[tuple[str, str]] = set()
    for config in world.configs:
        if isinstance(config.spec, ServiceRoleBinding):
            wanted = (config.meta.namespace, config.spec.role_ref.name)
            bound.add(wanted)
            if wanted not in names:
                text = f"there is no ServiceRole {wanted[1]} in the namespace {wanted[0]}"
                yield Message(config.ref, ("spec", "roleRef", "name"), "role-missing", text)
    switches = [each.spec for each in world.configs if isinstance(each.spec, RbacConfig)]
    is_known, is_asked = world.whole or bool(switches), any(_asks(each.spec) for each in world.configs)
    yield from _check_each(roles, bound, switches, is_known=is_known, is_asked=is_asked)


def _asks(spec: object) -> bool:
    return isinstance(spec, Rbac) or (isinstance(spec, Handler) and spec.compiled_adapter == "rbac")


def _check_each(
    roles: Iterable[Config],
    bound: set[tuple[str, str]],
    switches: list[RbacConfig],
    *,
    is_known: bool,
    is_asked: bool,
) -> Iterator[Message]:
    """`is_known`: there is no RbacConfig but these; `is_asked`: by a handler of Mixer's."""
    for role in roles:
        namespace, name = role.meta.namespace, role.meta.name
        if (namespace, name) not in bound:
            yield Message(role.ref, (), "role-unbound", f"no ServiceRoleBinding in {namespace} names it")
        elif is_known and not is_asked and not any(_is_on(switch, namespace) for switch in switches):
            text = f"no RbacConfig is on in {namespace}: everything passes there, whatever roles say"
            yield Message(role.ref, (), "roles-unasked", text)


def _is_on(switch: RbacConfig, namespace: str) -> bool:
    """For some service of the namespace."""
    match switch.mode:
        case "ON":
            return True
        case "ON_WITH_INCLUSION":
            return switch.inclusion is not None and _names(switch.inclusion, namespace)
        case "ON_WITH_EXCLUSION":
            return switch.exclusion is None or namespace not in switch.exclusion.namespaces
        case "OFF":
            return False


def _names(target: RbacTarget, namespace: str) -> bool:
    ending = f".{namespace}.{DOMAIN_SUFFIX}"
    return namespace in target.namespaces or any(each.lower().endswith(ending) for each in target.services)
