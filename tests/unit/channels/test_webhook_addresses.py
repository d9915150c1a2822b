"""Hostile URLs and addresses: what is refused at submission, and what the check of each connection says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.channels.webhook.ssrf import AddressPolicy, check_url
from scheduler.channels.webhook.urls import mask_url, parse_url
from scheduler.errors import InvalidInput

DEFAULT = AddressPolicy()

HOSTILE = [
    # Loopback in every notation that some parser accepts
    "http://127.0.0.1/",
    "http://127.0.0.1.:80/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0x7f.0.0.1/",
    "http://0x7f000001/",
    "http://0x7F.1/",
    "http://00000177.0.0.1/",
    "http://127.0.0.1%00.example.com/",
    "http://①②⑦.⓪.⓪.①/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://127。0。0。1/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/",
    # This host, and nobody
    "http://0/",
    "http://0.0.0.0/",
    "http://[::]/",
    # Metadata services
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://metadata.google.internal/",
    # Private, shared, link-local, multicast, reserved
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://192.0.2.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[64:ff9b:1::1]/",
    "http://[fec0::1]/",
    "http://[64:ff9b::10.0.0.1]/",
    # Names that are private by definition
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://foo.localhost/",
    "http://ⓛocalhost/",
    "http://printer.local/",
    "http://vault.internal/",
    # Credentials and other parts do not hide the host
    "http://user:pass@127.0.0.1/",
    "http://example.com@127.0.0.1/",
    "http://example.com:80@127.0.0.1:8080/",
]

MALFORMED = [
    "",
    "example.com",
    "//example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "http://",
    "http:///path",
    "http:example.com",
    "http://:80/",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:80a/",
    "http://exa mple.com/",
    "http://example.com/a b",
    "http://example.com/\r\nHost: evil",
    "http://example.com\\@127.0.0.1/",
    "http://example.com\t/",
    "http://example.com/\x00",
    "http://exa%6dple.com/",
    "http://☃.example/",
    "http://\u0627ab.example/",
    "http://[::1/",
    "http://[fe80::1%25eth0]/",
    "http://1.2.3.4.5/",
    "http://256.1.1.1/",
    "http://1.2.3.0x100/",
    "http://example.123/",
    "http://-example.com/",
    "http://exa$mple.com/",
    "http://" + "a" * 64 + ".com/",
    "http://user:\u200b@example.com/",
    "https://example.com/" + "a" * 2048,
]

PUBLIC = [
    "https://example.com/",
    "http://example.com:8080/hook?x=1#part",
    "https://EXAMPLE.com./",
    "https://user:secret@example.com/",
    "https://bücher.example.com/",
    "https://under_score.example.com/",
    "http://8.8.8.8/",
    "http://134744072/",
    "https://[2606:4700:4700::1111]/",
    "http://[64:ff9b::8.8.8.8]/",
    "http://[::ffff:8.8.8.8]/",
    "http://172.32.0.1/",
    "http://100.128.0.1/",
    "https://localhost.example.com/",
    "https://notlocalhost/",
]


@pytest.mark.parametrize("url", HOSTILE + MALFORMED)
def test_a_hostile_url_is_refused_with_an_error_that_names_the_field(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_url(url, DEFAULT)
    assert caught.value.errors[0].field == "webhook.url"


@pytest.mark.parametrize("url", HOSTILE)
def test_a_refusal_says_how_it_is_opened_or_what_is_wrong(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"Webhook\.AllowedNetworks|must"):
        check_url(url, DEFAULT)


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_url_is_accepted(url: str) -> None:
    check_url(url, DEFAULT)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("HTTP://EXAMPLE.com", "http://example.com/"),
        ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c"),
        ("https://example.com:8443", "https://example.com:8443/"),
        ("http://user:pw@example.com/x", "http://example.com/x"),
        ("http://134744072/", "http://8.8.8.8/"),
        ("http://[2606:4700::1111]:8080/", "http://[2606:4700::1111]:8080/"),
        ("http://straße.example/", "http://xn--strae-oqa.example/"),
        ("http://βόλος.example/", "http://xn--nxasmm1c.example/"),
        ("http://_x.bücher。example./", "http://_x.xn--bcher-kva.example/"),
        ("http://bücher.example/ü?q=ä", "http://xn--bcher-kva.example/%C3%BC?q=%C3%A4"),
        ("http://example.com/a%2Fb/../c", "http://example.com/a%2Fb/../c"),
    ],
)
def test_libcurl_is_given_one_canonical_form(text: str, canonical: str) -> None:
    assert parse_url(text).text == canonical


@given(st.text(max_size=40))
def test_whatever_the_host_says_the_canonical_form_means_the_same(host: str) -> None:
    try:
        url = parse_url(f"http://{host}")
    except ValueError:
        return
    again = parse_url(url.text)
    assert again._replace(user=url.user) == url
    assert url.text.isascii()


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "100.64.0.1", "::1", "fd12::1", "::ffff:10.0.0.1"]
)
def test_allow_private_networks_opens_private_addresses(address: str) -> None:
    assert DEFAULT.refusal("x", address)
    assert AddressPolicy(allow_private=True).refusal("x", address) is None


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "fe80::1%eth0", "224.0.0.1", "0.0.0.0", "::"])
def test_allow_private_networks_does_not_open_metadata_and_reserved_addresses(address: str) -> None:
    assert AddressPolicy(allow_private=True).refusal("x", address)
    listed = AddressPolicy.of(allowed=[address.partition("%")[0]])
    assert listed.refusal("x", address) is None


def test_a_listed_network_is_allowed_and_its_neighbours_are_not() -> None:
    policy = AddressPolicy.of(allowed=["10.1.0.0/16", "fd00::/8", "192.168.7.7"])
    assert policy.refusal("x", "10.1.255.1") is None
    assert policy.refusal("x", "::ffff:10.1.0.1") is None
    assert policy.refusal("x", "fd12::1") is None
    assert policy.refusal("x", "192.168.7.7") is None
    assert policy.refusal("x", "10.2.0.1")
    assert policy.refusal("x", "192.168.7.8")


def test_a_listed_name_is_allowed_whatever_it_resolves_to_and_no_other_name() -> None:
    policy = AddressPolicy.of(allowed=["Redis.Internal."])
    check_url("http://redis.internal/", policy)
    assert policy.refusal("redis.internal", "10.0.0.1") is None
    assert policy.refusal("other.internal", "10.0.0.1")
    assert policy.refusal("evil.redis.internal", "10.0.0.1")


@pytest.mark.parametrize("entry", ["http://x/", "10.0.0.0/33", "a b", "", "*", "127.1"])
def test_an_allow_list_entry_that_means_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        AddressPolicy.of(allowed=[entry])


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://u:p@example.com/a@b", "https://***@example.com/a@b"),
        ("https://u@example.com", "https://***@example.com"),
        ("https://a@b:p@example.com/x", "https://***@example.com/x"),
        ("https://example.com/a@b?c@d", "https://example.com/a@b?c@d"),
    ],
)
def test_credentials_are_masked_and_nothing_else(url: str, masked: str) -> None:
    assert mask_url(url) == masked


def test_errors_never_repeat_a_password() -> None:
    with pytest.raises(ValueError, match="port") as caught:
        parse_url("http://user:hunter2@example.com:port/")
    assert "hunter2" not in str(caught.value)
