"""A valid object of the rule language. A Config that exists is valid; everything else is Problems."""

import msgspec

from proa.core.config.endpoint import WorkloadEntry
from proa.core.config.kinds.destination_rule.schema import DestinationRule
from proa.core.config.kinds.gateway.schema import Gateway
from proa.core.config.kinds.peer_authentication.schema import PeerAuthentication
from proa.core.config.kinds.service_entry.schema import ServiceEntry
from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.config.meta import Meta
from proa.core.model.names import ObjectRef

Spec = VirtualService | DestinationRule | Gateway | ServiceEntry | WorkloadEntry | PeerAuthentication


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """`digest` covers kind, name, namespace, labels and spec; never lines, annotations or the API version."""

    api_version: str
    kind: str
    meta: Meta
    spec: Spec
    digest: str

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(self.kind, self.meta.namespace, self.meta.name)
