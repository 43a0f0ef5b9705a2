"""Derived objects as Configs of today, and what is found wrong on the way told of the objects that users wrote."""

import msgspec

from proa.core.config.config import Config
from proa.core.config.gateway_api.bound import API_SPECS, Derivation
from proa.core.config.kinds.virtual_service.schema import DerivedRoutes, VirtualService
from proa.core.config.legacy.convert import Converted
from proa.core.config.legacy.today import ReadBack, Today, read_back
from proa.core.model.digest import digest_of


def is_api(config: Config) -> bool:
    """Whether it is of Gateway API, so that nothing comes of it but what is derived."""
    return isinstance(config.spec, API_SPECS)


def read_derived(derivation: Derivation) -> ReadBack:
    """An object that today's kinds refuse is left out, as in `legacy.today`."""
    missing = {each.derived.ref: each.missing for each in derivation.made}
    derived = tuple(each.derived for each in derivation.made)
    read = read_back(Converted(derived=derived, findings=derivation.findings))
    objects = tuple(_marked(each, missing.get(each.config.ref, ())) for each in read.objects)
    return ReadBack(objects=objects, findings=read.findings)


def _marked(today: Today, missing: tuple[int, ...]) -> Today:
    spec, config = today.config.spec, today.config
    if not isinstance(spec, VirtualService):
        return today
    routes = DerivedRoutes(**msgspec.structs.asdict(spec), missing=missing)
    digest = digest_of((config.kind, config.meta.namespace, config.meta.name, config.meta.labels, routes))
    return msgspec.structs.replace(today, config=msgspec.structs.replace(config, spec=routes, digest=digest))
