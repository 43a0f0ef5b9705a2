"""One signature from end to end, as a value in and a value out, so that it can be made in any process.

What is asked is checked, a certificate is made of the template, and what was really signed is compared with it. The
authority calls it directly, or has a worker process call it.
"""

import functools
from typing import Final

import msgspec

from proa.core.auth.ca import Ca, issue, read_signer, to_pem
from proa.core.auth.csr import CsrRefused, check_csr
from proa.core.auth.template import CertificateTemplate

KEPT: Final = 4
"""Signers whose keys a process keeps parsed: one at a time, two around a rotation."""


class SigningJob(msgspec.Struct, frozen=True, kw_only=True):
    """`signer_key` and `signer_chain` (its own certificate first) are PEM. Its printed form shows no key."""

    template: CertificateTemplate
    csr_pem: str
    signer_key: str
    signer_chain: str

    def __repr__(self) -> str:
        return f"SigningJob({self.template!r})"


def sign_job(job: SigningJob) -> str | CsrRefused:
    """The leaf's PEM. Raises IssuanceError when what was signed is not what was asked."""
    return sign_with(job.template, job.csr_pem, _signer(job.signer_key, job.signer_chain))


def sign_with(template: CertificateTemplate, csr_pem: str, signer: Ca) -> str | CsrRefused:
    """The same with a signer at hand."""
    checked = check_csr(csr_pem, template.uri, template.dns_names)
    if isinstance(checked, CsrRefused):
        return checked
    return to_pem(issue(template, checked.public_key, signer))


@functools.lru_cache(maxsize=KEPT)
def _signer(key_pem: str, chain_pem: str) -> Ca:
    return read_signer(key_pem, chain_pem)
