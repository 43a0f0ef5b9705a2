"""The mesh's certificate authority: decides who gets which identity, signs, and writes down what it signed.

Servers call it with what a peer asked and who the peer proved to be; it knows no sockets. What a node may have
is its grant's business (`core.auth.grants`), what a certificate holds its template's (`core.auth.template`). A
user's or peer's mistake comes back as Refused with its reason; StoreFailure and IssuanceError propagate, and
nothing was handed out then.

A few signatures a second are made on the event loop, which a millisecond does not hurt; what is more goes to worker
processes, so that a thousand workloads that start at once hold nobody up. The queue before these is bounded: beyond it
StoreTemporary says when to come again.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final, Literal, get_args

import msgspec
from immutables import Map

from proa.control_plane.ca_keys import NewKey, generate_key
from proa.control_plane.keyring import Clock, Entropy, Keyring
from proa.control_plane.revocations import Revocations
from proa.control_plane.signers import Signers
from proa.core.auth.bearer import Bearer
from proa.core.auth.ca import Ca, name_text, to_pem
from proa.core.auth.csr import CsrRefused, check_csr
from proa.core.auth.denial import Denial
from proa.core.auth.grants import Claim, Placement, refusals
from proa.core.auth.operators import ASKED, MOST_TTL, TTL, Operator, Role, operator_id
from proa.core.auth.roots import bundle_proof, root_digests, root_sha256
from proa.core.auth.spiffe import (
    SpiffeId,
    control_plane_id,
    is_dns_label,
    node_id,
)
from proa.core.auth.template import (
    LEAF_TTL,
    SHORTEST_LEAF,
    CertificateTemplate,
    Validity,
    bearer_leaf,
    control_plane_leaf,
    node_leaf,
    operator_leaf,
    serial_from,
    workload_leaf,
)
from proa.core.auth.tokens import (
    ID_BYTES,
    SECRET_BYTES,
    UNKNOWN,
    InvalidToken,
    JoinToken,
    TokenRecord,
    TokenRefused,
    decode_token,
    encode_token,
    hash_secret,
)
from proa.core.auth.trust_bundle import write_document
from proa.ports.authority_store import AuthorityEvent, AuthorityStore, Issuance
from proa.ports.key_store import KeyStore

SAME_REFUSAL_S: Final = 3600.0
"""A peer that is refused asks again and again; the audit has its refusal once in so long,"""
REFUSALS_REMEMBERED: Final = 1024
"""and in that time no more than so many: anybody may be refused at the join port."""


IssuedFor = Literal["workload", "node", "bearer", "operator", "control-plane"]
"""Whom certificates are for, in metrics. A bearer is a workload that came with a token, or with its certificate."""
REFRESH_HINT_S: Final = 30
"""How often partners should ask for the bundle: a new root is known for a minute before anything is signed under it."""


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """`chain_pem` is the leaf and what leads to its root; times are unix seconds; `serial` is hex."""

    chain_pem: str
    identity: SpiffeId
    serial: str
    not_before: int
    not_after: int


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A node that brought a good token: its name and its first certificate."""

    node: str
    issued: Issued


class Minted(msgspec.Struct, frozen=True, kw_only=True):
    """`text` holds the secret and is shown once; `record` is what was kept."""

    text: str
    record: TokenRecord


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing was issued: in words for the one who asked, and as the reason that is counted."""

    reason: str
    code: Denial = "not granted"


class Authority:
    """Made by `open`. `keyring` holds the keys; whoever changes them does it there."""

    def __init__(
        self,
        *,
        trust_domain: str,
        keyring: Keyring,
        store: AuthorityStore,
        clock: Clock,
        entropy: Entropy,
        leaf_ttl: int,
        revocations: Revocations | None = None,
        denied: Callable[[Denial, str], None] = lambda code, asker: None,
        signers: Signers | None = None,
    ) -> None:
        """`denied` is told of every refusal: its code, and who asked."""
        self.trust_domain = trust_domain
        self.keyring = keyring
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._leaf_ttl = leaf_ttl
        self.revocations = revocations or Revocations(store, trust_domain, clock)
        self._denied = denied
        self._signers = signers or Signers()
        self.issued: Counter[IssuedFor] = Counter(dict.fromkeys(get_args(IssuedFor), 0))
        self._refused: OrderedDict[tuple[str, str], float] = OrderedDict()

    @classmethod
    async def open(
        cls,
        *,
        trust_domain: str,
        keys: KeyStore,
        store: AuthorityStore,
        clock: Clock,
        entropy: Entropy,
        new_key: NewKey = generate_key,
        leaf_ttl: int = LEAF_TTL,
        is_leader: Callable[[], bool] = lambda: True,
        plugged: Ca | None = None,
        revocations: Revocations | None = None,
        denied: Callable[[Denial, str], None] = lambda code, asker: None,
        signers: Signers | None = None,
    ) -> "Authority":
        """Takes the CA from the key store; on the first start it is `plugged`, or made.

        `entropy(n)` gives n random bytes. Raises IssuanceError for a CA that is expired, damaged or of another
        trust domain, StoreFailure when a store cannot be used.
        """
        keyring = await Keyring.open(
            trust_domain=trust_domain,
            keys=keys,
            clock=clock,
            entropy=entropy,
            new_key=new_key,
            is_leader=is_leader,
            plugged=plugged,
        )
        return cls(
            trust_domain=trust_domain,
            keyring=keyring,
            store=store,
            clock=clock,
            entropy=entropy,
            leaf_ttl=leaf_ttl,
            revocations=revocations,
            denied=denied,
            signers=signers,
        )

    @property
    def root_pem(self) -> str:
        """The root under which all is signed now."""
        return self.keyring.active.pem

    @property
    def roots_pem(self) -> str:
        """Every trusted root."""
        return self.keyring.trust.value.roots_pem

    @property
    def signing_root(self) -> str:
        """The digest of `root_pem`."""
        return self.keyring.trust.value.signing_root

    @property
    def bundles(self) -> Map[str, str]:
        """Trust domain -> PEM of the roots that speak for it."""
        return Map({self.trust_domain: self.roots_pem})

    @property
    def bundle_document(self) -> bytes:
        """The mesh's trust bundle as partners take it."""
        return write_document(self.roots_pem, REFRESH_HINT_S, self.keyring.sequence)

    @property
    def expiries(self) -> Map[str, int]:
        """`root` and `intermediate` -> their ends, for metrics and `proa certificate`."""
        return Map(
            {"root": self.keyring.active.root.not_after, "intermediate": self.keyring.signer_now.not_after}
        )

    async def issue_workload(self, *, csr_pem: str, claim: Claim, node: str) -> Issued | Refused:
        """A certificate for the workload that `node`, proven by its own certificate, registered as `claim`.

        The right is asked again here, with the grant of this moment: a registration once accepted is no right.
        """
        asker = str(node_id(self.trust_domain, node))
        grant = await self._store.grant_of(node)
        if grant is None:
            reason = f"node {node} has no grant: it never joined, or was removed"
            return await self._refuse(str(claim.id), asker, reason, "no grant")
        reasons = refusals(grant, claim)
        if reasons:
            return await self._refuse(str(claim.id), asker, "; ".join(reasons), "not granted")
        signer = await self.keyring.signer()
        try:
            template = workload_leaf(
                self.trust_domain, claim.id, claim.account, self._serial(), self._validity(signer)
            )
        except ValueError as error:
            return await self._refuse(str(claim.id), asker, str(error), "malformed name")
        revoked = self._revoked(node_id(self.trust_domain, node)) or self._revoked(
            template.uri, *template.dns_names
        )
        if revoked:
            return await self._refuse(str(claim.id), asker, revoked, "revoked")
        return await self._issue("workload", template, csr_pem, asker, signer)

    async def issue_node(self, *, csr_pem: str, node: str) -> Issued | Refused:
        """A new certificate for a node that proved itself by its present one."""
        asker = str(node_id(self.trust_domain, node))
        if await self._store.grant_of(node) is None:
            reason = f"node {node} has no grant: it never joined, or was removed"
            return await self._refuse(asker, asker, reason, "no grant")
        revoked = self._revoked(node_id(self.trust_domain, node))
        if revoked:
            return await self._refuse(asker, asker, revoked, "revoked")
        signer = await self.keyring.signer()
        template = node_leaf(self.trust_domain, node, self._serial(), self._validity(signer))
        return await self._issue("node", template, csr_pem, asker, signer)

    async def issue_bearer(
        self, *, csr_pem: str, bearer: Bearer, asked_by: str, ttl_s: int = 0
    ) -> Issued | Refused:
        """A certificate for who proved to be `bearer` by a token or by the certificate he has, for `ttl_s` seconds
        (0: the usual life) and never longer than usual."""
        revoked = self._revoked(bearer.identity, *bearer.names)
        if revoked:
            return await self._refuse(str(bearer.identity), asked_by, revoked, "revoked")
        signer = await self.keyring.signer()
        ttl = min(max(ttl_s, SHORTEST_LEAF), self._leaf_ttl) if ttl_s else self._leaf_ttl
        validity = signer.validity(self._clock(), ttl)
        template = bearer_leaf(bearer.identity, bearer.names, self._serial(), validity)
        return await self._issue("bearer", template, csr_pem, asked_by, signer)

    async def issue_operator(
        self, *, csr_pem: str, name: str, role: Role, asked_by: str, ttl_s: int = 0
    ) -> Issued | Refused:
        """A certificate for the admin API, for `ttl_s` seconds (0: the usual life). Whoever calls this has found that
        `asked_by` may ask; it stands in the audit."""
        asker = ASKED + asked_by
        try:
            identity = operator_id(self.trust_domain, Operator(name, role))
        except ValueError as error:
            return await self._refuse(name[:80], asker, str(error), "malformed name")
        if not SHORTEST_LEAF <= (ttl_s or TTL) <= MOST_TTL:
            reason = f"an operator's certificate lives from {SHORTEST_LEAF} s to {MOST_TTL // 3600} h"
            return await self._refuse(str(identity), asker, reason, "not granted")
        revoked = self._revoked(identity)
        if revoked:
            return await self._refuse(str(identity), asker, revoked, "revoked")
        signer = await self.keyring.signer()
        validity = signer.validity(self._clock(), ttl_s or TTL)
        return await self._issue(
            "operator", operator_leaf(identity, self._serial(), validity), csr_pem, asker, signer
        )

    async def issued_to(self, serial: str) -> str | None:
        """The identity of a certificate that was signed here, None for any other. Raises StoreFailure."""
        issuance = await self._store.issuance(serial)
        return issuance.identity if issuance is not None else None

    async def refuse(self, subject: str, asked_by: str, reason: str, code: Denial) -> None:
        """Notes a refusal that somebody in front of the authority said."""
        await self._refuse(subject, asked_by, reason, code)

    async def issue_control_plane(self, *, csr_pem: str) -> Issued | Refused:
        """A certificate for this process's own servers. Never offered to a peer."""
        signer = await self.keyring.signer()
        template = control_plane_leaf(self.trust_domain, self._serial(), self._validity(signer))
        return await self._issue(
            "control-plane", template, csr_pem, str(control_plane_id(self.trust_domain)), signer
        )

    async def mint_token(
        self,
        *,
        node: str,
        ttl: float,
        placements: tuple[Placement, ...],
        join: str,
        servers: tuple[str, ...] = (),
        more_joins: tuple[str, ...] = (),
        uses: int = 1,
    ) -> Minted | Refused:
        """A join token for `node`, good for `ttl` seconds and `uses` joins.

        `join` is the `host:port` where the node joins, `more_joins` where it may when nobody answers there, `servers`
        those of xDS and signing.
        """
        if not is_dns_label(node):
            return Refused(reason=f"{node!r} cannot be a node's name: lower-case letters, digits and dashes")
        if ttl <= 0 or uses < 1:
            return Refused(reason="a join token is good for some seconds and at least one use")
        now = self._clock()
        token = JoinToken(
            id=self._entropy(ID_BYTES).hex(),
            secret=self._entropy(SECRET_BYTES).hex(),
            node=node,
            root_sha256=self.signing_root,
            join=join,
            more_joins=more_joins,
            servers=servers,
            trust_domain=self.trust_domain,
        )
        record = TokenRecord(
            id=token.id,
            secret_sha256=hash_secret(token.secret),
            node=node,
            placements=placements,
            created=now,
            expires=now + ttl,
            uses=uses,
        )
        await self._store.put_token(record)
        return Minted(text=encode_token(token), record=record)

    async def redeem(self, *, token: str, csr_pem: str) -> Joined | Refused:
        """Uses the token up and gives its node a certificate and its grant.

        All that can be refused without the token's use is checked before, so a mistake does not cost the token.
        """
        try:
            brought = decode_token(token)
        except InvalidToken as error:
            self._denied("token malformed", "(joining)")
            return Refused(reason=str(error), code="token malformed")
        identity, asker = node_id(self.trust_domain, brought.node), f"token:{brought.id[:64]}"
        # A token may be older than the roots of today: it is known by its id.
        if await self._store.token(brought.id) is None:
            is_ours = brought.root_sha256 in root_digests(self.roots_pem)
            reason = "the join token is for another mesh: its root certificate is not this one's"
            return await self._refuse(
                str(identity),
                "an unknown token",
                UNKNOWN.reason if is_ours else reason,
                "token unknown" if is_ours else "token of another mesh",
            )
        revoked = self._revoked(identity)
        if revoked:
            return await self._refuse(str(identity), asker, revoked, "revoked")
        checked = check_csr(csr_pem, identity)
        if isinstance(checked, CsrRefused):
            return await self._refuse(str(identity), asker, checked.reason, checked.code)
        secret = hash_secret(brought.secret)
        record = await self._store.redeem(brought.id, secret, brought.node, self._clock())
        if isinstance(record, TokenRefused):
            return await self._refuse(str(identity), asker, record.reason, record.code)
        signer = await self.keyring.signer()
        template = node_leaf(self.trust_domain, record.node, self._serial(), self._validity(signer))
        issued = await self._issue("node", template, csr_pem, f"token:{record.id}", signer)
        return issued if isinstance(issued, Refused) else Joined(node=record.node, issued=issued)

    async def prove_roots(self, token_id: str) -> str:
        """What shows to the bearer of a join token that `roots_pem` is this mesh's; "" for an unknown token."""
        record = await self._store.token(token_id)
        return "" if record is None else bundle_proof(record.secret_sha256, self.roots_pem)

    async def _issue(
        self, kind: IssuedFor, template: CertificateTemplate, csr_pem: str, asked_by: str, signer: Ca
    ) -> Issued | Refused:
        """Signs, compares, writes down, and only then hands out."""
        leaf = await self._signers.sign(template, csr_pem, signer)
        if isinstance(leaf, CsrRefused):
            return await self._refuse(str(template.uri), asked_by, leaf.reason, leaf.code)
        issued = Issued(
            chain_pem=leaf + signer.presented_pem,
            identity=template.uri,
            serial=f"{template.serial:x}",
            not_before=template.not_before,
            not_after=template.not_after,
        )
        await self._store.record_issuance(
            Issuance(
                serial=issued.serial,
                identity=str(template.uri),
                dns_names=template.dns_names,
                asked_by=asked_by,
                not_before=template.not_before,
                not_after=template.not_after,
                time=self._clock(),
                issuer=name_text(signer.certificate.subject),
                root_sha256=root_sha256(to_pem(signer.root)),
            )
        )
        self.issued[kind] += 1
        return issued

    def _revoked(self, identity: SpiffeId, *names: str) -> str:
        return self.revocations.refusal(identity=str(identity), names=names)

    async def _refuse(self, subject: str, asked_by: str, reason: str, code: Denial) -> Refused:
        """Tells the asker, counts and, once in a while, tells the audit."""
        self._denied(code, asked_by)
        now, key = self._clock(), (asked_by, reason)
        while self._refused and now - next(iter(self._refused.values())) >= SAME_REFUSAL_S:
            self._refused.popitem(last=False)
        if key not in self._refused and len(self._refused) < REFUSALS_REMEMBERED:
            self._refused[key] = now
            event = AuthorityEvent(
                time=now, kind="refused", subject=subject, asked_by=asked_by, detail=reason[:1000]
            )
            await self._store.record_event(event)
        return Refused(reason=reason, code=code)

    def _validity(self, signer: Ca) -> Validity:
        return signer.validity(self._clock(), self._leaf_ttl)

    def _serial(self) -> int:
        return serial_from(self._entropy(20))
