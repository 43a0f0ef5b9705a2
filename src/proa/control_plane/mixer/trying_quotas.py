"""`proa mixer quota`: what a request that nobody sends would be charged, and what is left. Nothing is charged.

Handlers are asked what is left. Of a limit that a proxy keeps by itself only that proxy knows.
"""

from collections.abc import Callable

from proa.control_plane.mixer.quotas import Quotas, ending_of
from proa.control_plane.mixer.trying import asked_by, port_of
from proa.control_plane.world import World
from proa.core.mixer.needs import Charged, needs_of
from proa.core.mixer.rate_limits.answers import Spent
from proa.servers.admin.mixer import CheckTry, QuotasTried, QuotaTried
from proa.servers.mixer.rate_limits import Expense


async def try_quotas(
    world: World, quotas: Quotas, wanted: CheckTry, clock: Callable[[], float]
) -> QuotasTried:
    """Raises CannotBeTried."""
    port = port_of(world, wanted.server, wanted.port)
    place = world.place(wanted.server, port)
    assert place is not None
    expense = Expense(
        server=wanted.server,
        port=port,
        quotas=(),
        asked=asked_by(world, wanted, port, clock),
        caller=wanted.caller,
    )
    kept = {each.quota: each for each in needs_of(world.mixer, place).charges if each.bucket is not None}
    found = tuple(
        _told(each, kept.get(each.quota.lower())) for each in await quotas.spend(expense, looking=True)
    )
    refused = any(each.outcome == "refused" for each in found)
    return QuotasTried(
        server=wanted.server,
        port=port,
        outcome="refused" if refused else "granted",
        quotas=found,
        remarks=() if found else (f"this request would be charged nothing at {wanted.server}:{port}",),
    )


def _told(spent: Spent, kept: Charged | None) -> QuotaTried:
    left = spent.left
    if kept is not None and kept.bucket is not None:
        return QuotaTried(
            quota=spent.quota,
            charge=spent.asked,
            maximum=kept.bucket.tokens * spent.asked,
            window_ms=kept.bucket.fill_ms,
            by_proxy=True,
        )
    return QuotaTried(
        quota=spent.quota,
        charge=spent.asked,
        outcome=ending_of(spent),
        maximum=left.maximum if left else None,
        window_ms=left.window_ms if left else 0,
        left=left.amount if left else None,
        wait_ms=left.wait_ms if left and spent.is_exhausted else 0,
        is_dry=spent.is_dry,
    )
