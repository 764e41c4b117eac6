"""What the manifests have to hold: Pod Security `restricted`, rollout, scaling, rights in Kafka and SQL, network."""

import re
from importlib import import_module
from typing import Any, Final

import pytest

from contracts.topics import SERVICES, TOPICS, topics_with
from kit import service as kit_service
from kit.tracing_settings import TracingSettings
from stack import grants
from tests.deploy.manifests import (
    OVERLAYS,
    ROOT,
    Object,
    container,
    environment,
    labels,
    name,
    named,
    of_kind,
    overlay,
    pod,
    secret_files,
    selects,
    workloads,
)

IMAGE: Final = re.compile(r"^[a-z0-9./-]+(:(?!latest$)[a-z0-9][a-z0-9.-]*)?(@sha256:[0-9a-f]{64})?$")
PRODUCTION: Final = ("staging", "prod")
PAGE_PATHS: Final = {("Exact", "/"), ("PathPrefix", "/page")}
"""What the public sees of metrics, beside the figures: the status page and its files."""
every_overlay = pytest.mark.parametrize("where", OVERLAYS)
in_production = pytest.mark.parametrize("where", PRODUCTION)


def deployments(where: str) -> list[Object]:
    found = of_kind(overlay(where), "Deployment")
    assert len(found) == 8
    return found


# --- what a pod may do ------------------------------------------------------------------------------------


@every_overlay
def test_pods_are_restricted(where: str) -> None:
    [namespace] = of_kind(overlay(where), "Namespace")
    for mode in ("enforce", "audit", "warn"):
        assert namespace["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"
    for each in workloads(overlay(where)):
        whole, own = pod(each)["securityContext"], container(each)["securityContext"]
        assert whole["runAsNonRoot"] is True, name(each)
        assert whole["runAsUser"] >= 10_000, "numeric, and no user of the node"
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own["readOnlyRootFilesystem"] is True
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod(each).keys()
        assert not [volume for volume in pod(each)["volumes"] if "hostPath" in volume]


@every_overlay
def test_no_pod_has_a_token(where: str) -> None:
    accounts = {name(each): each for each in of_kind(overlay(where), "ServiceAccount")}
    for each in workloads(overlay(where)):
        account = pod(each)["serviceAccountName"]
        assert account == f"{labels(each)['app.kubernetes.io/name']}-service", "each service its own"
        assert accounts[account]["automountServiceAccountToken"] is False
        assert pod(each)["automountServiceAccountToken"] is False
    assert not of_kind(overlay(where), "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


@every_overlay
def test_secrets_are_files_and_never_in_the_environment(where: str) -> None:
    assert not of_kind(overlay(where), "Secret"), "no secret is in the repository"
    for each in workloads(overlay(where)):
        assert not [source for source in container(each).get("envFrom", []) if "secretRef" in source]
        assert not [variable for variable in container(each).get("env", []) if "valueFrom" in variable]
        paths = {path for _, _, path in secret_files(each)}
        for variable, value in environment(overlay(where), each).items():
            assert "password" not in value.lower() or value in paths, variable
            unread = variable.endswith("_KEYRING_FILE") and name(each).endswith("-migration")  # it is only named there
            if value.startswith("/run/secrets/") and not unread:
                assert value in paths, f"{name(each)}: nothing is mounted at {value}, which {variable} names"


@every_overlay
def test_only_migrations_have_the_login_that_owns_the_tables(where: str) -> None:
    for each in workloads(overlay(where)):
        service, role = labels(each)["app.kubernetes.io/name"], labels(each)["app.kubernetes.io/component"]
        logins = {secret for secret, key, _ in secret_files(each) if key == "url"}
        assert logins == {f"{service}-database-owner" if role == "migration" else f"{service}-database"}


# --- settings ---------------------------------------------------------------------------------------------


@every_overlay
def test_every_setting_is_one_that_the_service_knows(where: str) -> None:
    for each in workloads(overlay(where)):
        service = labels(each)["app.kubernetes.io/name"]
        known = import_module(f"{service}.settings").Settings.model_fields
        for variable in environment(overlay(where), each):
            if variable in ("PGSSLMODE", "PGSSLROOTCERT") or variable == f"{service.upper()}_KEYRING_FILE":
                continue
            if variable.lower() in TracingSettings.model_fields:
                continue
            field = variable.removeprefix(f"{service.upper()}_").lower()
            assert field in known or field.removesuffix("_file") in known, f"{name(each)}: {variable}"


@every_overlay
def test_settings_are_valid_and_the_ports_are_those_that_are_probed(
    where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "secret").write_text("postgresql://service:pass@host/database", encoding="utf-8")
    for each in deployments(where):
        service, role = labels(each)["app.kubernetes.io/name"], labels(each)["app.kubernetes.io/component"]
        kind = import_module(f"{service}.settings").Settings
        with monkeypatch.context() as patched:
            for variable, value in environment(overlay(where), each).items():
                patched.setenv(variable, str(tmp_path / "secret") if value.startswith("/run/secrets/") else value)
            settings = import_module("kit.settings").load_settings(kind)
            assert not TracingSettings().is_on, "traces are off until somebody names a collector"
        assert settings.roles == {role}
        assert settings.http_host == "0.0.0.0"  # in a pod
        assert container(each)["ports"] == [{"name": "http", "containerPort": settings.http_port}]


@every_overlay
def test_every_policy_is_there_under_the_name_of_its_content(where: str) -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "policies").glob("*.yaml")}
    programme = {"programme.yaml": written.pop("programme.yaml")}
    for prefix, files, readers in (
        ("policies-", written, ("eligibility",)),
        ("programme-", programme, ("disbursement", "metrics")),
    ):
        [found] = [each for each in of_kind(overlay(where), "ConfigMap") if name(each).startswith(prefix)]
        assert found["data"] == files, "policies/Kustomization lists them"
        for each in deployments(where):
            mounted = {volume["configMap"]["name"] for volume in pod(each)["volumes"] if "configMap" in volume}
            assert (name(found) in mounted) == (labels(each)["app.kubernetes.io/name"] in readers)


# --- health, rollout, room --------------------------------------------------------------------------------


@every_overlay
def test_three_probes_on_the_services_port(where: str) -> None:
    for each in deployments(where):
        found = {kind: container(each)[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert found == {
            "startup": {"path": "/health/live", "port": "http"},
            "liveness": {"path": "/health/live", "port": "http"},
            "readiness": {"path": "/health/ready", "port": "http"},
        }


@every_overlay
def test_a_pod_has_the_time_to_stop_by_itself(where: str) -> None:
    drain = (
        kit_service._HTTP_STOP_SECONDS
        + kit_service._LOOPS_STOP_SECONDS
        + kit_service._RELAY_STOP_SECONDS
        + kit_service._POOL_STOP_SECONDS
    )
    for each in deployments(where):
        pause = container(each)["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pause >= 5
        assert pod(each)["terminationGracePeriodSeconds"] >= pause + drain + 5


@every_overlay
def test_memory_is_reserved_and_cpu_is_not_throttled(where: str) -> None:
    for each in workloads(overlay(where)):
        resources = container(each)["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        assert "cpu" in resources["requests"]
        assert "cpu" not in resources["limits"]
        assert "ephemeral-storage" in resources["limits"]
        assert all("sizeLimit" in volume["emptyDir"] for volume in pod(each)["volumes"] if "emptyDir" in volume)


@every_overlay
def test_a_version_replaces_another_without_a_gap(where: str) -> None:
    for each in deployments(where):
        assert each["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


@in_production
def test_two_of_each_at_least(where: str) -> None:
    for each in deployments(where):
        assert least(where, each) >= 2, name(each)


def least(where: str, deployment: Object) -> int:
    """The fewest pods of it; who counts them besides must not find a number in the deployment."""
    scalers = [
        (each["spec"].get("minReplicas") or each["spec"]["minReplicaCount"])
        for each in of_kind(overlay(where), "HorizontalPodAutoscaler", "ScaledObject")
        if each["spec"]["scaleTargetRef"]["name"] == name(deployment)
    ]
    if not scalers:
        return int(deployment["spec"]["replicas"])
    assert "replicas" not in deployment["spec"]
    return int(scalers[0])


@every_overlay
def test_each_deployment_is_spread_and_has_a_budget(where: str) -> None:
    budgets = of_kind(overlay(where), "PodDisruptionBudget")
    for each in deployments(where):
        [budget] = [one for one in budgets if selects(one["spec"]["selector"], labels(each))]
        assert budget["spec"]["maxUnavailable"] == 1, "minAvailable would keep a node from ever being emptied"
        spread = pod(each)["topologySpreadConstraints"]
        assert {one["topologyKey"] for one in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        for one in spread:
            others = [other for other in deployments(where) if selects(one["labelSelector"], labels(other))]
            assert [name(other) for other in others] == [name(each)]


@every_overlay
def test_what_moves_money_goes_last(where: str) -> None:
    value = {name(each): each["value"] for each in of_kind(overlay(where), "PriorityClass")}
    for each in workloads(overlay(where)):
        money = labels(each)["app.kubernetes.io/name"] == "disbursement"
        assert pod(each)["priorityClassName"] == ("drawdown-money" if money else "drawdown")
    assert value["drawdown-money"] > value["drawdown"]


@every_overlay
def test_images_have_a_version(where: str) -> None:
    for each in workloads(overlay(where)):
        image = container(each)["image"]
        assert IMAGE.match(image), image
        assert ":" in image, f"{image} would be latest"
        assert f"/{labels(each)['app.kubernetes.io/name']}:" in image


# --- scaling ----------------------------------------------------------------------------------------------


def heard(service: str) -> list[str]:
    return topics_with(list(import_module(f"{service}.handlers").SUBSCRIPTIONS))


@in_production
def test_no_more_workers_than_partitions(where: str) -> None:
    found = of_kind(overlay(where), "ScaledObject")
    assert {name(each) for each in found} == {f"{service}-worker" for service in SERVICES}
    for each in found:
        service = labels(named(overlay(where), "Deployment", name(each)))["app.kubernetes.io/name"]
        triggers = [trigger["metadata"] for trigger in each["spec"]["triggers"]]
        several = {topic for topic in heard(service) if TOPICS[topic].partitions > 1}
        assert {trigger["topic"] for trigger in triggers} == several, "every topic that the service consumes"
        assert {trigger["consumerGroup"] for trigger in triggers} == {service}
        assert each["spec"]["maxReplicaCount"] <= min(TOPICS[trigger["topic"]].partitions for trigger in triggers)


@in_production
def test_all_pods_fit_into_their_database(where: str) -> None:
    for service in SERVICES:
        fields = import_module(f"{service}.settings").Settings.model_fields
        # Beside the two pools: the lease of the relay, and the look of liveness.
        connections = fields["database_pool_size"].default + fields["http_pool_size"].default + 2
        pods = sum(most(where, each) for each in deployments(where) if name(each).startswith(f"{service}-"))
        surge = 2  # while another version rolls out
        cluster = named(overlay(where), "Cluster", f"{service}-postgres")
        for_persons = 20
        room = int(cluster["spec"]["postgresql"]["parameters"]["max_connections"]) - for_persons
        assert (pods + surge) * connections <= room, service


def most(where: str, deployment: Object) -> int:
    for each in of_kind(overlay(where), "HorizontalPodAutoscaler", "ScaledObject"):
        if each["spec"]["scaleTargetRef"]["name"] == name(deployment):
            return int(each["spec"].get("maxReplicas") or each["spec"]["maxReplicaCount"])
    return int(deployment["spec"]["replicas"])


# --- Kafka and PostgreSQL ---------------------------------------------------------------------------------


@in_production
def test_topics_are_those_of_the_contract(where: str) -> None:
    found = {name(each): each["spec"] for each in of_kind(overlay(where), "KafkaTopic")}
    assert found.keys() == TOPICS.keys()
    for topic in TOPICS.values():
        spec = found[topic.name]
        assert (spec["partitions"], spec["replicas"]) == (topic.partitions, 3)
        assert spec["config"]["min.insync.replicas"] == 2
        kept = {"cleanup.policy": "compact"} if topic.compacted else {"retention.ms": -1}
        assert kept.items() <= spec["config"].items(), "projections are rebuilt from the topics at any time"


def rights(where: str, user: str, kind: str) -> dict[str, set[str]]:
    acls = named(overlay(where), "KafkaUser", user)["spec"]["authorization"]["acls"]
    found = [rule for rule in acls if rule["resource"]["type"] == kind]
    assert len({rule["resource"]["name"] for rule in found}) == len(found)
    return {rule["resource"]["name"]: set(rule["operations"]) for rule in found}


@in_production
def test_each_topic_has_one_writer(where: str) -> None:
    for user in (*SERVICES, "finance", "keda"):
        topics = rights(where, user, "topic")
        written = {topic for topic, allowed in topics.items() if "Write" in allowed}
        assert written == {topic.name for topic in TOPICS.values() if topic.writer == user}
        assert not {"All", "Create", "Delete", "Alter", "AlterConfigs"} & set().union(*topics.values())
    assert {name(each) for each in of_kind(overlay(where), "KafkaUser")} == {*SERVICES, "finance", "keda"}


@in_production
def test_everybody_reads_what_they_consume_and_no_more(where: str) -> None:
    for service in SERVICES:
        topics = rights(where, service, "topic")
        own = {topic.name for topic in TOPICS.values() if topic.writer == service}
        assert {topic for topic, allowed in topics.items() if "Read" in allowed} == {*heard(service), *own}
    assert rights(where, "finance", "topic") == {
        "disbursement.payments": {"Describe", "Read"},
        "finance.payment-status": {"Describe", "Write"},
    }
    assert all(allowed == {"Describe"} for allowed in rights(where, "keda", "topic").values())


@every_overlay
def test_the_login_has_the_rights_that_the_local_stack_gives(where: str) -> None:
    for service in SERVICES:
        start = named(overlay(where), "Cluster", f"{service}-postgres")["spec"]["bootstrap"]["initdb"]
        assert (start["database"], start["owner"]) == (service, grants.owner(service))
        wanted = [" ".join(line.split()) for line in _statements(service)]
        assert [line for line in start["postInitApplicationSQL"] if line in wanted] == wanted


def _statements(service: str) -> list[str]:
    """The statements of `grants.grant_use`, by asking it."""
    said: list[str] = []

    class Listener:
        async def execute(self, text: str) -> None:
            said.extend(line for line in text.split(";") if line.strip())

    try:
        grants.grant_use(Listener(), service).send(None)  # type: ignore[arg-type]
    except StopIteration:
        return said
    raise AssertionError("it waited for something")


# --- the network ------------------------------------------------------------------------------------------


def policies(where: str) -> list[Object]:
    return of_kind(overlay(where), "NetworkPolicy")


@in_production
def test_nobody_talks_to_anybody_by_default(where: str) -> None:
    spec = named(overlay(where), "NetworkPolicy", "default-deny")["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for each in policies(where):
        for rule in each["spec"].get("egress", []) + each["spec"].get("ingress", []):
            assert rule.get("ports"), f"{name(each)} opens every port"
            peers = rule.get("to") or rule.get("from")
            assert peers, f"{name(each)} opens to everybody"
            assert all(peer.get("ipBlock", {}).get("cidr") != "0.0.0.0/0" for peer in peers)


@in_production
def test_only_these_leave_the_cluster(where: str) -> None:
    """Of our own pods: eligibility's worker to registers, intake's to webhooks, who checks tokens to their issuer."""
    leaving = {
        (name(workload), name(each))
        for each in policies(where)
        for workload in workloads(overlay(where))
        if selects(each["spec"]["podSelector"], labels(workload))
        for rule in each["spec"].get("egress", [])
        for peer in rule["to"]
        if "ipBlock" in peer
    }
    assert leaving == {
        ("eligibility-worker", "eligibility-to-registers"),
        ("intake-worker", "intake-to-portal"),
        *((f"{service}-http", "http-to-issuer") for service in SERVICES),
    }


@in_production
def test_a_service_reaches_its_own_database_and_no_other(where: str) -> None:
    for workload in workloads(overlay(where)):
        reached = {
            peer["podSelector"]["matchLabels"]["cnpg.io/cluster"]
            for each in policies(where)
            if selects(each["spec"]["podSelector"], labels(workload))
            for rule in each["spec"].get("egress", [])
            for peer in rule["to"]
            if "cnpg.io/cluster" in peer.get("podSelector", {}).get("matchLabels", {})
        }
        assert reached == {f"{labels(workload)['app.kubernetes.io/name']}-postgres"}


@in_production
def test_from_outside_only_the_public_calls_are_reached(where: str) -> None:
    backends = {}
    for route in of_kind(overlay(where), "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            paths = {(match["path"]["type"], match["path"]["value"]) for match in rule["matches"]}
            for backend in rule.get("backendRefs", []):
                public = PAGE_PATHS if backend["name"] == "metrics-http" else set()
                assert paths == {("PathPrefix", "/v1")} | public, "not /admin, not /metrics"
                backends[backend["name"]] = route["spec"]["hostnames"]
    assert backends.keys() == {f"{service}-http" for service in SERVICES}
    for backend in backends:
        service = named(overlay(where), "Service", backend)["spec"]["selector"]
        assert service["app.kubernetes.io/component"] == "http", "no call leads to a worker"


# --- names that objects give each other -------------------------------------------------------------------


@every_overlay
def test_every_selector_finds_its_pods(where: str) -> None:
    found = [labels(each) for each in workloads(overlay(where))]
    for each in of_kind(overlay(where), "Service", "PodDisruptionBudget", "Deployment"):
        selector = each["spec"]["selector"]
        selector = selector if "matchLabels" in selector else {"matchLabels": selector}
        assert [one for one in found if selects(selector, one)], f"{each['kind']} {name(each)} selects nothing"


@in_production
def test_every_secret_comes_from_somewhere(where: str) -> None:
    made = {each["spec"]["target"]["name"] for each in of_kind(overlay(where), "ExternalSecret")}
    made |= {name(each) for each in of_kind(overlay(where), "KafkaUser")}  # by Strimzi
    made |= {f"{name(each)}-cluster-ca-cert" for each in of_kind(overlay(where), "Kafka")}
    made |= {f"{name(each)}-ca" for each in of_kind(overlay(where), "Cluster")}  # by CloudNativePG
    wanted = {secret for each in workloads(overlay(where)) for secret, _, _ in secret_files(each)}
    for each in of_kind(overlay(where), "Cluster"):
        wanted.add(each["spec"]["bootstrap"]["initdb"]["secret"]["name"])
        wanted |= {role["passwordSecret"]["name"] for role in each["spec"]["managed"]["roles"]}
    for each in of_kind(overlay(where), "TriggerAuthentication"):
        wanted |= {secret["name"] for secret in each["spec"]["secretTargetRef"]}
    assert wanted <= made
