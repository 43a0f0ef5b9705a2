"""One signature as a value: the same whoever makes it, and never more than the template."""

import pickle

from cryptography import x509

from proa.core.auth.csr import CsrRefused, build_csr
from proa.core.auth.signing import SigningJob, sign_job, sign_with
from proa.core.auth.spiffe import workload_id
from tests.unit.core.auth.authorities import INTERMEDIATE, LEAF_KEY, leaf_template

TEMPLATE = leaf_template()
CSR = build_csr(LEAF_KEY, TEMPLATE.uri)


def job(csr: str = CSR) -> SigningJob:
    return SigningJob(
        template=TEMPLATE,
        csr_pem=csr,
        signer_key=INTERMEDIATE.key_pem,
        signer_chain=INTERMEDIATE.chain_pem,
    )


def test_a_job_that_travelled_signs_the_same() -> None:
    here = sign_with(TEMPLATE, CSR, INTERMEDIATE)
    assert isinstance(here, str)
    assert sign_job(pickle.loads(pickle.dumps(job()))) == here
    leaf = x509.load_pem_x509_certificate(here.encode())
    leaf.verify_directly_issued_by(INTERMEDIATE.certificate)


def test_a_request_for_another_is_refused_there_too() -> None:
    refused = sign_job(job(build_csr(LEAF_KEY, workload_id("cluster.local", "x", "y"))))
    assert isinstance(refused, CsrRefused)
    assert refused.code == "csr identity"


def test_its_printed_form_shows_no_key() -> None:
    assert "PRIVATE" not in repr(job())
