"""ssh_config for one host: the same answers as `ssh -G`, and a reason wherever paramiko falls short."""

import os
import pwd
import socket
import subprocess
from pathlib import Path

import pytest

from plumbing.transport.ssh_config import HostConfig, read_host_config


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def read(home: Path, own: str = "", system: str = "", *, login: str = "me") -> HostConfig:
    (home / ".ssh" / "config").write_text(own)
    (home / "system").write_text(system)
    return read_host_config(
        "host", user="", port=None, home=home, login=login, system_config=home / "system"
    )


def test_without_any_file(tmp_path: Path) -> None:
    config = read_host_config(
        "host", user="", port=None, home=tmp_path, login="me", system_config=tmp_path / "no"
    )
    ssh = tmp_path / ".ssh"
    assert config == HostConfig(
        host="host",
        user="me",
        port=22,
        identity_files=(ssh / "id_rsa", ssh / "id_ecdsa", ssh / "id_ed25519"),
        identities_chosen=False,
        identities_only=False,
        identity_agent="",
        known_hosts=(
            ssh / "known_hosts",
            ssh / "known_hosts2",
            Path("/etc/ssh/ssh_known_hosts"),
            Path("/etc/ssh/ssh_known_hosts2"),
        ),
        hash_known_hosts=False,
        connect_timeout=None,
        address_family=socket.AF_UNSPEC,
        openssh_reason="",
        gssapi=False,
    )


def test_every_keyword_that_is_used(home: Path) -> None:
    own = """
        # a comment
        Host host other
          HostName=%h.example
          User "ann"   # another
          Port = 2222
          IdentityFile ~/.ssh/%h_%r
          IdentityFile "/keys/my key"
          IdentitiesOnly yes
          IdentityAgent ~/agent
          UserKnownHostsFile ~/one /two
          GlobalKnownHostsFile none
          ConnectTimeout 7
          HashKnownHosts yes
          AddressFamily inet6
        Host *
          User nobody
          IdentityFile /keys/last
    """
    config = read(home, own)
    assert (config.host, config.user, config.port) == ("host.example", "ann", 2222)
    assert config.identity_files == (
        home / ".ssh" / "host.example_ann",
        Path("/keys/my key"),
        Path("/keys/last"),
    )
    assert (config.identities_chosen, config.identities_only) == (True, True)
    assert config.identity_agent == str(home / "agent")
    assert config.known_hosts == (home / "one", Path("/two"))
    assert (config.connect_timeout, config.hash_known_hosts) == (7.0, True)
    assert config.address_family is socket.AF_INET6
    assert config.openssh_reason == ""


def test_the_url_comes_first(home: Path) -> None:
    (home / ".ssh" / "config").write_text("User ann\nPort 2222\n")
    config = read_host_config(
        "host", user="bob", port=99, home=home, login="me", system_config=home / "no"
    )
    assert (config.user, config.port) == ("bob", 99)


CONFIGS = [
    "Host a*\nUser one\nHost *\nUser two\n",
    "Host * !host\nUser one\nHost h?st\nUser two\n",
    "User one\nHost host\nUser two\n",
    "Match host host\nUser one\nMatch all\nPort 99\n",
    "HostName real\nMatch host real\nUser one\n",
    "HostName real\nMatch originalhost host user LOGIN localuser LOGIN\nPort 99\n",
    "Match !host host\nUser one\nMatch host *,!host\nUser two\n",
    "Match final host host\nUser late\nHost host\nPort 99\n",
    "Match final all\nUser late\nHost host\nUser early\n",
    "Match canonical all\nUser one\n",
    "Include included\nUser last\n",
    "Host other\nInclude included\nHost host\nUser last\n",
    "Host host\nInclude incl*\nPort 99\n",
    "Host other\nInclude matching\n",
    "Host host\nInclude matching\n",
    "Include missing\nPort 99\n",
    "\tUser=one\r\n",
    "user one # two\n",
    'User "one"\n',
    "HostName 192.0.2.1\nHost 192.0.2.1\nUser one\n",
    "HostName %h.%%example\n",
]


@pytest.mark.parametrize("text", CONFIGS)
def test_openssh_reads_the_same(home: Path, text: str) -> None:
    included = home / ".ssh" / "included"
    included.write_text("Host host\nUser included\nHost other\nPort 98\n")
    (home / ".ssh" / "matching").write_text("Match all\nPort 97\n")
    text = text.replace("Include matching", f"Include {home}/.ssh/matching")
    text = text.replace("Include incl", f"Include {home}/.ssh/incl")
    login = pwd.getpwuid(os.getuid()).pw_name
    config = read(home, text.replace("LOGIN", login), login=login)
    words = ["ssh", "-G", "-F", str(home / ".ssh" / "config"), "host"]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    options = dict(line.partition(" ")[::2] for line in said.splitlines())
    ours = (config.host, config.user, str(config.port))
    assert ours == (options["hostname"], options["user"], options["port"])
    assert config.openssh_reason == ""


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        ("ProxyJump gate", "proxyjump"),
        ("ProxyCommand nc %h %p", "proxycommand"),
        ("ControlPath ~/.ssh/%C", "controlpath"),
        ("GSSAPIAuthentication yes", "gssapiauthentication"),
        ("PKCS11Provider /usr/lib/token.so", "pkcs11provider"),
        ("SecurityKeyProvider /usr/lib/token.so", "securitykeyprovider"),
        ("CertificateFile ~/.ssh/cert.pub", "certificatefile"),
        ("KnownHostsCommand /bin/keys", "knownhostscommand"),
        ("HostKeyAlias alias", "hostkeyalias"),
        ("CanonicalizeHostname yes", "canonicalizehostname"),
        ("BindAddress 192.0.2.1", "bindaddress"),
        ("Ciphers aes256-ctr", "ciphers"),
        ("FutureKeyword yes", "futurekeyword"),
        ("IdentityFile ~/.ssh/id_ed25519_sk", "security key id_ed25519_sk"),
        ("IdentityFile ~/.ssh/token", "security key token"),
        ("IdentityFile ${KEYS}/id", "environment variables"),
        ("IdentityFile ~/.ssh/%L", "%L"),
        ("IdentityAgent $AGENT", "IdentityAgent"),
        ("Port ssh", "port"),
        ("Match exec true\nUser one", "Match exec"),
        ("Match host host exec true\nUser one", "Match exec"),
        ("Match localnetwork 192.0.2.0/24\nUser one", "Match localnetwork"),
        ('User "one', "config line 2"),
        ("nonsense", "config line 2"),
    ],
)
def test_what_paramiko_lacks_is_a_reason(home: Path, own: str, reason: str) -> None:
    (home / ".ssh" / "token.pub").write_text("sk-ssh-ed25519@openssh.com AAAA\n")
    assert read(home, f"Host host\n{own}\n").openssh_reason == reason


@pytest.mark.parametrize(
    "own",
    [
        "ProxyJump none",
        "ProxyCommand none",
        "ControlMaster no",
        "ControlMaster auto\nControlPersist 10m",  # nothing is shared without a ControlPath
        "ControlPath none",
        "GSSAPIAuthentication no",
        "ProxyJump none\nProxyJump gate",
        "ForwardX11 yes\nServerAliveInterval 5\nSendEnv LANG LC_*\nStrictHostKeyChecking no",
        "Host other\nProxyJump gate",
        "Match host other exec true\nUser one",
    ],
)
def test_what_is_off_or_of_another_host_is_no_reason(home: Path, own: str) -> None:
    assert read(home, f"{own}\n").openssh_reason == ""


def test_what_a_distribution_sets_for_everybody_is_no_reason(home: Path) -> None:
    debian = "Include ssh_config.d/*.conf\nHost *\n  SendEnv LANG\n  GSSAPIAuthentication yes\n"
    config = read(home, "", debian)
    assert (config.openssh_reason, config.gssapi) == ("", True)
    (home / "ssh_config.d").mkdir()
    (home / "ssh_config.d" / "50-redhat.conf").write_text(
        "Match final all\n  GSSAPIAuthentication yes\n  Ciphers aes256-ctr\n  MACs hmac-sha2-256\n"
    )
    config = read(home, "", debian)
    assert (config.openssh_reason, config.gssapi) == ("", True)
    assert read(home, "", "ProxyJump gate\n").openssh_reason == "proxyjump"
    assert not read(home, "GSSAPIAuthentication no\n", debian).gssapi


def test_a_security_key_by_default_counts_only_where_it_is_the_only_key(home: Path) -> None:
    (home / ".ssh" / "id_ed25519_sk").touch()
    assert read(home).openssh_reason == "security key id_ed25519_sk"
    (home / ".ssh" / "id_rsa").touch()
    assert read(home).openssh_reason == ""


def test_files_that_include_each_other_come_to_an_end(home: Path) -> None:
    config = read(home, f"Include {home}/.ssh/config\nUser ann\n")
    assert (config.user, config.openssh_reason) == ("ann", "Include")


def test_bytes_that_are_no_text(home: Path) -> None:
    (home / ".ssh" / "config").write_bytes(b"Host \xff\xfe\n\x00\x01\nUser ann\n")
    config = read_host_config(
        "host", user="", port=None, home=home, login="me", system_config=home / "no"
    )
    assert config.user == "me"
