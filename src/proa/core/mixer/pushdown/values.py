"""What a pushdown is made of: denials that a proxy says itself, and for every action of a rule where it runs.

Plain values, equal when they mean the same: the filters are made of them, and people are told by them.
"""

from typing import Literal

import msgspec

from proa.core.expression.cel import Cel
from proa.core.mixer.plan.values import Action
from proa.core.model.names import ObjectRef

Where = Literal["never", "proxy", "mixer", "log"]
"""`never`: it cannot match there. `proxy`: Envoy decides or counts. `mixer`: the control plane is asked, checks only
unless the proxy keeps the verdict. `log`: the control plane is told when the request is over."""


class Whose(msgspec.Struct, frozen=True):
    """Callers, by the names in the mesh's own certificates, as `workload.namespace`, or `*.namespace` for all of one.
    `named`: these. `newcomers`: whoever has another name. `strangers`: whoever has none. `others`: both of them."""

    names: tuple[str, ...]
    kind: Literal["named", "newcomers", "strangers", "others"] = "named"


class Denial(msgspec.Struct, frozen=True, kw_only=True):
    """One way for one call to deny. `condition` may fail, which is no; `whose` None: anybody's requests. `code` is of
    google.rpc.Code. The handler's message is `text`; with a `value`, a text, that one without its `prefix` is behind
    it, shortened, and then `after`."""

    rule: ObjectRef
    handler: str
    instance: str
    whose: Whose | None
    condition: Cel
    code: int
    text: str = ""
    value: Cel | None = None
    prefix: str = ""
    after: str = ""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """Where an action of a rule runs. `by`: what does it there. `reason` says why it is not nearer to the request,
    `change` what to write instead, if there is something."""

    rule: ObjectRef
    action: Action
    where: Where
    by: str
    reason: str = ""
    change: str = ""
