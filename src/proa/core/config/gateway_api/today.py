"""Derived objects as Configs of today, and what is found wrong on the way told of the objects that users wrote."""

import msgspec

from proa.core.config.config import Config
from proa.core.config.gateway_api.bound import API_SPECS, Derivation, Made
from proa.core.config.kinds.destination_rule.schema import DerivedTls, DestinationRule
from proa.core.config.kinds.virtual_service.schema import DerivedRoutes, VirtualService
from proa.core.config.legacy.convert import Converted
from proa.core.config.legacy.today import ReadBack, Today, read_back
from proa.core.model.digest import digest_of


def is_api(config: Config) -> bool:
    """Whether it is of Gateway API, so that nothing comes of it but what is derived."""
    return isinstance(config.spec, API_SPECS)


def read_derived(derivation: Derivation) -> ReadBack:
    """An object that today's kinds refuse is left out, as in `legacy.today`."""
    made = {each.derived.ref: each for each in derivation.made}
    derived = tuple(each.derived for each in derivation.made)
    read = read_back(Converted(derived=derived, findings=derivation.findings))
    objects = tuple(_marked(each, made[each.config.ref]) for each in read.objects)
    return ReadBack(objects=objects, findings=read.findings)


def _marked(today: Today, made: Made) -> Today:
    spec = today.config.spec
    if isinstance(spec, DestinationRule):
        assert spec.traffic_policy is not None
        policy = DerivedTls(**msgspec.structs.asdict(spec), port_name=made.port_name)
        return _with(today, policy)
    if not isinstance(spec, VirtualService):
        return today
    routes = DerivedRoutes(
        **msgspec.structs.asdict(spec),
        beyond_http=made.beyond_http,
        beyond_tls=made.beyond_tls,
        beyond_tcp=made.beyond_tcp,
    )
    return _with(today, routes)


def _with(today: Today, spec: DerivedRoutes | DerivedTls) -> Today:
    config = today.config
    digest = digest_of((config.kind, config.meta.namespace, config.meta.name, config.meta.labels, spec))
    return msgspec.structs.replace(today, config=msgspec.structs.replace(config, spec=spec, digest=digest))
