"""What is the same for a gateway's server and a sidecar's listener; the rules one by one are in the Gateway's tests."""

from proa.core.config.server_tls import ServerTls, TlsCertificate, check_server_tls


def test_certificates_of_either_spelling() -> None:
    pair = TlsCertificate(server_certificate="/c", private_key="/k")
    assert ServerTls(server_certificate="/c", private_key="/k").pairs == (pair,)
    assert ServerTls(tls_certificates=(pair, pair)).pairs == (pair, pair)
    assert ServerTls().pairs == ()
    assert ServerTls(credential_name="a").all_credentials == ("a",)
    assert ServerTls(credential_names=("a", "b")).all_credentials == ("a", "b")


def test_settings_are_judged_where_they_stand() -> None:
    found = list(check_server_tls(ServerTls(mode="MUTUAL", credential_name="a", ca_crl="/x"), ("here",)))
    assert [(each.path, each.code) for each in found] == [(("here", "caCrl"), "conflict")]
    assert not list(check_server_tls(ServerTls(mode="SIMPLE", credential_name="a"), ("here",)))
