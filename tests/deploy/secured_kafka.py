"""A real broker as the Strimzi component has it: TLS, SCRAM, and the rights of `users.yaml`; nobody else is let in."""

import asyncio
import datetime as dt
import ipaddress
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from aiokafka.protocol.admin import CreateAclsRequest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kit.brokers import Brokers
from stack import kafkadata, topics
from stack.home import Home
from stack.kafka import READY_SECONDS, Kafka
from stack.kafkadata import NodePorts
from tests.deploy.manifests import K8S

_RESOURCES = {"topic": 2, "group": 3}
_PATTERNS = {"literal": 3, "prefix": 4}
_OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8}
_ALLOW = 3


def users() -> dict[str, list[dict[str, Any]]]:
    """The users of the manifests and their rights."""
    text = (K8S / "components" / "strimzi" / "users.yaml").read_text(encoding="utf-8")
    return {each["metadata"]["name"]: each["spec"]["authorization"]["acls"] for each in yaml.safe_load_all(text)}


def password(user: str) -> str:
    return f"{user}-only-for-this-test"


class SecuredKafka(Kafka):
    """`bootstrap` is the plain way in, for whoever sets it up; `as_user` the one that is guarded."""

    def __init__(self, home: Home, ports: NodePorts, guarded: int) -> None:
        super().__init__(home, [ports])
        self._guarded = guarded
        self.ca_file = home.path / "ca.crt"
        self._key_file = home.path / "broker.pem"

    def as_user(self, user: str | None, secret: str | None = None, *, ca_file: Path | None = None) -> Brokers:
        return Brokers.of(
            f"localhost:{self._guarded}",
            tls=True,
            ca_file=ca_file or self.ca_file,
            user=user,
            password=(secret or password(user)) if user else None,
        )

    def _configure(self, node_id: int) -> None:
        super()._configure(node_id)
        write_certificates(self.ca_file, self._key_file)
        [plain] = [at.client for at in self._ports]
        [controller] = [at.controller for at in self._ports]
        values = kafkadata.settings(node_id, self._ports, self._folder(node_id) / "data") | {
            "listeners": f"PLAINTEXT://127.0.0.1:{plain},GUARDED://127.0.0.1:{self._guarded},"
            f"CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},GUARDED://localhost:{self._guarded}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,GUARDED:SASL_SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.guarded.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram."
            "ScramLoginModule required;",
            "listener.name.guarded.ssl.keystore.type": "PEM",
            "listener.name.guarded.ssl.keystore.location": self._key_file,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        kafkadata.write_properties(Path(self._properties(node_id)), values)

    async def _format(self, node_id: int, java: list[str]) -> None:
        cluster_id = kafkadata.cluster_id(self._home.kafka / "cluster-id")
        logins = [f"SCRAM-SHA-512=[name={user},password={password(user)}]" for user in users()]
        scram = [word for login in logins for word in ("--add-scram", login)]
        tool = [*java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster_id]
        command = [*tool, "--config", self._properties(node_id), *scram]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout

    async def grant(self) -> None:
        """Give the users of the manifests their rights, as Strimzi's operator does."""
        async with topics.admin_client(self.bootstrap) as admin:
            for user, rules in users().items():
                for rule in rules:
                    await _grant(admin, user, rule["resource"], rule["operations"])


async def _grant(admin: Any, user: str, resource: dict[str, str], operations: Sequence[str]) -> None:
    for operation in operations:
        request = CreateAclsRequest(
            _RESOURCES[resource["type"]],
            resource["name"],
            _PATTERNS[resource["patternType"]],
            f"User:{user}",
            "*",
            _OPERATIONS[operation],
            _ALLOW,
        )
        answer = await admin._send_to_controller(request)
        assert [code for code, _ in answer.creation_responses] == [0], answer


@asynccontextmanager
async def running(home: Home, ports: NodePorts, guarded: int) -> AsyncIterator[SecuredKafka]:
    kafka = SecuredKafka(home, ports, guarded)
    await kafka.prepare()
    [node] = kafka.nodes
    try:
        node.start()
        await node.until(kafka.ready, READY_SECONDS)
        await kafka.create_topics()
        await kafka.grant()
        yield kafka
    finally:
        await node.stop()


def write_certificates(ca_file: Path, key_file: Path) -> None:
    """Write a new authority's certificate, and a server's key with the certificate that it signed."""
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name, name = _named("drawdown-test-ca"), _named("localhost")
    ca = (
        _certificate(ca_name, ca_name, authority.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority, hashes.SHA256())
    )
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signed = (
        _certificate(name, ca_name, server.public_key())
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .sign(authority, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key = server.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    ca_file.write_bytes(ca.public_bytes(pem))
    key_file.write_bytes(key + signed.public_bytes(pem) + ca.public_bytes(pem))


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
    )
