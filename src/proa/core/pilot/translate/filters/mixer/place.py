"""Mixer's place in each chain that takes requests, behind the policies: a chain of filters in one resource by port.

The listener has the place whatever rules there are and never changes with them; what stands in it travels by ECDS, so
that the next request on an open connection obeys. Without rules that can match at the port it lets everything pass. One
that has not arrived serves nobody.

In this order, each only where a rule needs it:

1. `denials`: what this proxy refuses itself, without asking;
2. `checks`: verdicts that are kept, then the calls for rules that fail closed, then for those that fail open;
3. `quotas`: those that are counted here, then those that are asked for: nobody is charged for what a check refuses.
"""

from typing import Final

import msgspec
from envoy.config.core.v3.config_source_pb2 import ExtensionConfigSource
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter

from proa.core.mixer.needs import Charged, Checked, Needs
from proa.core.mixer.pushdown.values import Denial
from proa.core.model.names import ObjectRef
from proa.core.pilot.filter_chain_message import FILTER_CHAIN_URL, filter_chain
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.encode import ADS, build_resource, pack
from proa.core.pilot.translate.filters.mixer.checks import check_filters
from proa.core.pilot.translate.filters.mixer.denials import denial_filters
from proa.core.pilot.translate.filters.mixer.quotas import quota_filters

PLACES: Final = "proa.mixer."
WITHOUT_PEER: Final = ".plain"


class MixerIntent(msgspec.Struct, frozen=True, kw_only=True):
    """All that one place's filters are made of. `has_peer`: mesh TLS ends there, so a certificate says who calls; plain
    text, and TLS of somebody else's authority, have none that Mixer believes. `trust_domain`: whose names of callers
    `denials` are about."""

    port: int
    has_peer: bool
    denials: tuple[Denial, ...] = ()
    trust_domain: str = ""
    checks: tuple[Checked, ...] = ()
    charges: tuple[Charged, ...] = ()

    @property
    def name(self) -> str:
        return mixer_name(self.port, has_peer=self.has_peer)

    @property
    def rules(self) -> tuple[ObjectRef, ...]:
        """Those that caused any of it."""
        denials = (each.rule for each in self.denials)
        checks = (rule for each in self.checks for rule in each.rules)
        charges = (ref for each in self.charges for ref in (*each.rules, *each.specs))
        return tuple(dict.fromkeys((*denials, *checks, *charges)))


def mixer_name(port: int, *, has_peer: bool) -> str:
    """The resource of a service port, and the filter whose place it fills."""
    return f"{PLACES}{port}{'' if has_peer else WITHOUT_PEER}"


def mixer_place(name: str) -> HttpFilter:
    """As a listener has it."""
    source = ExtensionConfigSource(config_source=ADS, type_urls=[FILTER_CHAIN_URL])
    return HttpFilter(name=name, config_discovery=source)


def mixer_intent(
    port: int,
    needs: Needs,
    *,
    has_peer: bool,
    denials: tuple[Denial, ...] = (),
    trust_domain: str = "",
) -> MixerIntent:
    return MixerIntent(
        port=port,
        has_peer=has_peer,
        denials=denials,
        trust_domain=trust_domain if denials else "",
        checks=needs.checks,
        charges=needs.charges,
    )


def build_mixer(intent: MixerIntent) -> Resource:
    chain = filter_chain(_filters(intent))
    extension = TypedExtensionConfig(name=intent.name, typed_config=pack(chain))
    return build_resource(ResourceType.EXTENSION, intent.name, extension, intent.rules)


def _filters(intent: MixerIntent) -> list[TypedExtensionConfig]:
    return [
        *denial_filters(intent.denials, intent.trust_domain),
        *check_filters(intent.checks, intent.port, has_peer=intent.has_peer),
        *quota_filters(intent.charges, intent.port, has_peer=intent.has_peer),
    ]
