"""What a Gateway says, as users write it. Read by its validator and by Pilot's translation."""

from immutables import Map

from proa.core.config.record import Count32, Port, Record


class ServerPort(Record, frozen=True, kw_only=True):
    """`protocol` keeps the user's spelling; compare it in upper case. `target_port` has no effect, as in Istio."""

    number: Port
    name: str
    protocol: str
    target_port: Count32 = 0


class ServerTls(Record, frozen=True, kw_only=True):
    NOT_YET = (
        "mode",
        "serverCertificate",
        "privateKey",
        "caCertificates",
        "caCrl",
        "credentialName",
        "credentialNames",
        "caCertCredentialName",
        "tlsCertificates",
        "subjectAltNames",
        "verifyCertificateSpki",
        "verifyCertificateHash",
        "minProtocolVersion",
        "maxProtocolVersion",
        "cipherSuites",
        "insecureSkipVerify",
        "ecdhCurves",
    )

    https_redirect: bool = False


class Server(Record, frozen=True, kw_only=True):
    """`hosts` are `[namespace/]name`, the namespace `*`, `.` or a name."""

    NOT_YET = ("bind", "defaultEndpoint")

    port: ServerPort
    hosts: tuple[str, ...]
    name: str = ""
    tls: ServerTls | None = None


class Gateway(Record, frozen=True, kw_only=True):
    """`selector`: labels of the gateway proxies that serve it, in any namespace; empty means all of them."""

    selector: Map[str, str] = Map()
    servers: tuple[Server, ...]
