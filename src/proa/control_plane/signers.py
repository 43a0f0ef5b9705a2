"""Where a signature is made: here when there are few, in worker processes when there are many.

Starting a process costs more than hundreds of signatures, and handing one over a fifth of making it: a mesh that is
quiet never has workers. From a burst on the event loop signs no more than `HERE` allows, whatever is asked for.
"""

import time
from collections.abc import Callable
from typing import Final

from proa.core.auth.ca import Ca
from proa.core.auth.csr import CsrRefused
from proa.core.auth.signing import SigningJob, sign_job, sign_with
from proa.core.auth.template import CertificateTemplate
from proa.ports.failures import StoreTemporary
from proa.runtime.bucket import Bucket, Rate
from proa.runtime.offload import Overloaded, Workers

HERE: Final = Rate(per_s=20, burst=20)
"""Signatures on the event loop: some fifteen milliseconds of each second at most."""
WAITING: Final = 512
PATIENCE_S: Final = 10.0
AGAIN_S: Final = 1.0


class Signers:
    """`workers` None: all is signed here. Belongs to one event loop."""

    def __init__(
        self, workers: Workers | None = None, clock: Callable[[], float] = time.monotonic, here: Rate = HERE
    ) -> None:
        self._workers = workers
        self._clock = clock
        self._here = Bucket(here, clock())

    async def sign(self, template: CertificateTemplate, csr_pem: str, signer: Ca) -> str | CsrRefused:
        """The leaf's PEM. Raises IssuanceError, and StoreTemporary when too much waits or it took too long."""
        if self._workers is None or self._here.take(self._clock()):
            return sign_with(template, csr_pem, signer)
        job = SigningJob(
            template=template, csr_pem=csr_pem, signer_key=signer.key_pem, signer_chain=signer.chain_pem
        )
        try:
            return await self._workers.run(sign_job, job)
        except Overloaded as error:
            raise StoreTemporary(f"signatures: {error}", AGAIN_S) from None


def signing_workers(count: int) -> Workers | None:
    """None for none."""
    return Workers(count, waiting=WAITING, patience_s=PATIENCE_S) if count else None
