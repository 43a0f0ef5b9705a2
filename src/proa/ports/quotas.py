"""The windows that the limits of one handler have, wherever they are kept. Mixer charges them for requests."""

from typing import Protocol

from proa.core.mixer.quota.limits import Charge, Grant


class Quotas(Protocol):
    """Charges that meet are one after the other to every window: together they never get more than there is."""

    async def charge(self, charge: Charge) -> Grant:
        """Raises HandlerTemporary when the windows cannot be reached in time or are too many, HandlerPermanent when
        nothing limits the quota."""
