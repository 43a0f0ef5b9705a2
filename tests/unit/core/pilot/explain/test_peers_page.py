from proa.core.pilot.explain.peers import PeerReport, PeerRow
from proa.core.pilot.explain.peers_page import WIDTH, draw_peers
from proa.core.pilot.explain.story import Cause

LONG = "a-workload-with-a-name-of-many-parts-in-a-namespace-far-away"
ROW = PeerRow(
    port=9080,
    servers=("default/web", "default/other"),
    wire="mesh TLS",
    mode="STRICT",
    result="mutual TLS",
    client_by="no DestinationRule says how: it follows the server",
    server=(Cause(object="PeerAuthentication/default/x", file="m.yaml", line=3),),
    refused=("plaintext", "TLS"),
    standing=("on its way",),
)
LOUD = PeerRow(
    port=65535,
    servers=tuple(f"{LONG}/{LONG}-{number}" for number in range(1000)),
    subset="a-subset-of-a-long-name",
    wire="gRPC's mesh TLS",
    mode="PERMISSIVE",
    result="program's TLS",
    client=(Cause(object=f"DestinationRule/{LONG}/{LONG}", file="a/path/of/some/length.yaml", line=12345),),
    server_by="nobody",
)


def lines(*rows: PeerRow, remarks: tuple[str, ...] = ()) -> list[str]:
    report = PeerReport(source=LONG + "/" + LONG, host=LONG, rows=rows, remarks=remarks)
    return ["".join(piece.text for piece in line) for line in draw_peers(report)]


def test_a_row_and_who_decides() -> None:
    assert lines(ROW)[2:] == [
        "PORT  SERVERS                 CLIENT SENDS  SERVER TAKES  RESULT",
        "9080  default/web and 1 more  mesh TLS      STRICT        mutual TLS",
        "      client: no DestinationRule says how: it follows the server",
        "      server: PeerAuthentication/default/x (m.yaml:3)",
        "      refuses: plaintext, TLS",
        "      now: on its way",
    ]


def test_it_fits_however_long_names_are() -> None:
    told = lines(ROW, LOUD, remarks=("a remark " * 40,))
    assert max(len(line) for line in told) <= WIDTH
    head = next(line for line in told if line.startswith("PORT"))
    rows = [line for line in told if "STRICT" in line or "PERMISSIVE" in line]
    assert [row.index(word) for row, word in zip(rows, ("mutual TLS", "program's TLS"), strict=True)] == [
        head.index("RESULT")
    ] * 2
