"""The mesh's certificate authority: decides who gets which identity, signs, and writes down what it signed.

Servers call it with what a peer asked and who the peer proved to be; it knows no sockets. What a node may have
is its grant's business (`core.auth.grants`), what a certificate holds its template's (`core.auth.template`). A
user's or peer's mistake comes back as Refused with its reason; StoreFailure and IssuanceError propagate, and
nothing was handed out then.

Signing happens on the event loop: a P-256 signature and its check take under a millisecond, less than handing
them to a thread and back is worth; a thousand workloads that start at once are less than a second of work,
spread over the calls that ask for it.
"""

import asyncio
from collections.abc import Callable

import msgspec
from immutables import Map

from proa.control_plane.ca_keys import INTERMEDIATE, ROOT, NewKey, generate_key, open_intermediate, open_root
from proa.core.auth.ca import Ca, issue, to_pem
from proa.core.auth.csr import CsrRefused, check_csr
from proa.core.auth.grants import Claim, Placement, refusals
from proa.core.auth.roots import root_sha256
from proa.core.auth.rotation import state_of
from proa.core.auth.spiffe import SpiffeId, control_plane_id, is_dns_label, node_id
from proa.core.auth.template import (
    LEAF_TTL,
    CertificateTemplate,
    Validity,
    control_plane_leaf,
    node_leaf,
    serial_from,
    workload_leaf,
)
from proa.core.auth.tokens import (
    ID_BYTES,
    SECRET_BYTES,
    InvalidToken,
    JoinToken,
    TokenRecord,
    TokenRefused,
    decode_token,
    encode_token,
    hash_secret,
)
from proa.ports.authority_store import AuthorityStore, Issuance
from proa.ports.key_store import KeyStore

Clock = Callable[[], float]
Entropy = Callable[[int], bytes]


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """`chain_pem` is the leaf and the intermediate; times are unix seconds; `serial` is hex."""

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
    """Why nothing was issued, in words for the one who asked."""

    reason: str


class Authority:
    """Made by `open`. Owns the CA in use; only `_signer` changes it, under its lock."""

    def __init__(
        self,
        *,
        trust_domain: str,
        root: Ca,
        intermediate: Ca,
        keys: KeyStore,
        store: AuthorityStore,
        clock: Clock,
        entropy: Entropy,
        new_key: NewKey,
        leaf_ttl: int,
    ) -> None:
        self.trust_domain = trust_domain
        self._root = root
        self._intermediate = intermediate
        self._keys = keys
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._new_key = new_key
        self._leaf_ttl = leaf_ttl
        self._renewing = asyncio.Lock()

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
    ) -> "Authority":
        """Takes the root and the intermediate from the key store, makes them on the first start.

        `entropy(n)` gives n random bytes. Raises IssuanceError for a CA that is expired, damaged or of another
        trust domain, StoreFailure when a store cannot be used.
        """
        now = clock()
        root = await open_root(keys, trust_domain, new_key, serial_from(entropy(20)), now)
        serial = serial_from(entropy(20))
        intermediate = await open_intermediate(keys, trust_domain, root, new_key, serial, now)
        return cls(
            trust_domain=trust_domain,
            root=root,
            intermediate=intermediate,
            keys=keys,
            store=store,
            clock=clock,
            entropy=entropy,
            new_key=new_key,
            leaf_ttl=leaf_ttl,
        )

    @property
    def root_pem(self) -> str:
        return self._root.pem

    @property
    def bundles(self) -> Map[str, str]:
        """Trust domain -> PEM of the roots that speak for it."""
        return Map({self.trust_domain: self._root.pem})

    @property
    def expiries(self) -> Map[str, int]:
        """`root` and `intermediate` -> their ends, for metrics and `proa certificate`."""
        return Map({ROOT: self._root.not_after, INTERMEDIATE: self._intermediate.not_after})

    async def issue_workload(self, *, csr_pem: str, claim: Claim, node: str) -> Issued | Refused:
        """A certificate for the workload that `node`, proven by its own certificate, registered as `claim`.

        The right is asked again here, with the grant of this moment: a registration once accepted is no right.
        """
        grant = await self._store.grant_of(node)
        if grant is None:
            return Refused(reason=f"node {node} has no grant: it never joined, or was removed")
        reasons = refusals(grant, claim)
        if reasons:
            return Refused(reason="; ".join(reasons))
        try:
            template = workload_leaf(
                self.trust_domain, claim.id, claim.account, self._serial(), await self._validity()
            )
        except ValueError as error:
            return Refused(reason=str(error))
        return await self._issue(template, csr_pem, str(node_id(self.trust_domain, node)))

    async def issue_node(self, *, csr_pem: str, node: str) -> Issued | Refused:
        """A new certificate for a node that proved itself by its present one."""
        if await self._store.grant_of(node) is None:
            return Refused(reason=f"node {node} has no grant: it never joined, or was removed")
        template = node_leaf(self.trust_domain, node, self._serial(), await self._validity())
        return await self._issue(template, csr_pem, str(template.uri))

    async def issue_control_plane(self, *, csr_pem: str) -> Issued | Refused:
        """A certificate for this process's own servers. Never offered to a peer."""
        template = control_plane_leaf(self.trust_domain, self._serial(), await self._validity())
        return await self._issue(template, csr_pem, str(control_plane_id(self.trust_domain)))

    async def mint_token(
        self,
        *,
        node: str,
        ttl: float,
        placements: tuple[Placement, ...],
        join: str,
        servers: tuple[str, ...] = (),
        uses: int = 1,
    ) -> Minted | Refused:
        """A join token for `node`, good for `ttl` seconds and `uses` joins.

        `join` is the `host:port` where the node joins, `servers` those of xDS and signing.
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
            root_sha256=root_sha256(self._root.pem),
            join=join,
            servers=servers,
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
            return Refused(reason=str(error))
        if brought.root_sha256 != root_sha256(self._root.pem):
            return Refused(
                reason="the join token is for another mesh: its root certificate is not this one's"
            )
        checked = check_csr(csr_pem, node_id(self.trust_domain, brought.node))
        if isinstance(checked, CsrRefused):
            return Refused(reason=checked.reason)
        secret = hash_secret(brought.secret)
        record = await self._store.redeem(brought.id, secret, brought.node, self._clock())
        if isinstance(record, TokenRefused):
            return Refused(reason=record.reason)
        template = node_leaf(self.trust_domain, record.node, self._serial(), await self._validity())
        issued = await self._issue(template, csr_pem, f"token:{record.id}")
        return issued if isinstance(issued, Refused) else Joined(node=record.node, issued=issued)

    async def _issue(self, template: CertificateTemplate, csr_pem: str, asked_by: str) -> Issued | Refused:
        """Signs, compares, writes down, and only then hands out."""
        checked = check_csr(csr_pem, template.uri)
        if isinstance(checked, CsrRefused):
            return Refused(reason=checked.reason)
        signer = self._intermediate
        certificate = issue(template, checked.public_key, signer)
        issued = Issued(
            chain_pem=to_pem(certificate) + signer.pem,
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
            )
        )
        return issued

    async def _validity(self) -> Validity:
        signer = await self._signer()
        return signer.validity(self._clock(), self._leaf_ttl)

    async def _signer(self) -> Ca:
        """The intermediate, a new one from its half life on; peers know the root and notice nothing."""
        if self._standing(self._intermediate) != "valid":
            async with self._renewing:
                if self._standing(self._intermediate) != "valid":
                    self._intermediate = await open_intermediate(
                        self._keys,
                        self.trust_domain,
                        self._root,
                        self._new_key,
                        self._serial(),
                        self._clock(),
                    )
        return self._intermediate

    def _standing(self, ca: Ca) -> str:
        return state_of(ca.not_before, ca.not_after, self._clock())

    def _serial(self) -> int:
        return serial_from(self._entropy(20))
