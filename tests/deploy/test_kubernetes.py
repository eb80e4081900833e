"""The manifests, rendered by kustomize and held against Kubernetes' own schemas."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from streamwatch.config import load_config

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
KUBECTL = shutil.which("kubectl")
OVERLAYS = ["base", "overlays/gpu", "overlays/monitoring", "overlays/ray"]
FOREIGN = {"ServiceMonitor", "RayCluster"}  # their schemas come with the operators that serve them

pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl, which renders the manifests, is not installed")


def every(overlay: str) -> list[dict[str, Any]]:
    """All manifests."""
    found = subprocess.run(
        [str(KUBECTL), "kustomize", str(FOLDER / overlay)], capture_output=True, text=True, timeout=60, check=True
    )
    return list(yaml.safe_load_all(found.stdout))


def render(overlay: str) -> dict[str, Any]:
    """Kind → manifest; of several the last."""
    return {document["kind"]: document for document in every(overlay)}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_takes_it(overlay: str) -> None:
    for manifest in every(overlay):
        if manifest["kind"] not in FOREIGN:
            kubernetes_validate.validate(manifest, "1.31", strict=True)


def test_a_misspelt_field_is_refused() -> None:
    manifest = render("base")["Deployment"]
    manifest["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, "1.31", strict=True)


def test_two_never_read_the_same_cameras() -> None:
    spec = render("base")["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_pod_is_restricted() -> None:
    pod = render("base")["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["terminationGracePeriodSeconds"] == 30


def test_secrets_are_apart() -> None:
    found = render("base")
    assert "Secret" not in found
    (configuration,) = found["ConfigMap"]["data"].values()
    assert "${CAMERA_PASSWORD}" in configuration


def test_the_configuration_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = yaml.safe_load((FOLDER / "base" / "secret.example.yaml").read_text())
    for name, value in secret["stringData"].items():
        monkeypatch.setenv(name, value)
    assert [camera.name for camera in load_config(FOLDER / "base" / "streamwatch.yml").cameras] == ["dock"]


def test_everything_finds_the_pod() -> None:
    found = render("overlays/monitoring")
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        found["Service"]["spec"]["selector"],
        found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
    wanted = found["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= found["Service"]["metadata"]["labels"].items()
    ports = {port["name"] for port in found["Service"]["spec"]["ports"]}
    assert {endpoint["port"] for endpoint in found["ServiceMonitor"]["spec"]["endpoints"]} <= ports


def test_a_gpu_is_asked_for() -> None:
    (container,) = render("overlays/gpu")["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["image"].endswith("-gpu")


class TestRay:
    """The overlay for several machines: what KubeRay makes of it are pods like others."""

    def groups(self) -> dict[str, dict[str, Any]]:
        spec = render("overlays/ray")["RayCluster"]["spec"]
        return {"head": spec["headGroupSpec"], "workers": spec["workerGroupSpecs"][0]}

    @pytest.mark.parametrize("group", ["head", "workers"])
    def test_its_pods_are_ones_and_restricted(self, group: str) -> None:
        template = self.groups()[group]["template"]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": group, **template["metadata"]}}
        kubernetes_validate.validate({**pod, "spec": template["spec"]}, "1.31", strict=True)
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True
        (container,) = template["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["image"].endswith("-ray")
        (configuration,) = [v["configMap"]["name"] for v in template["spec"]["volumes"] if "configMap" in v]
        assert configuration == render("overlays/ray")["ConfigMap"]["metadata"]["name"]

    def test_the_head_runs_the_site_and_no_host(self) -> None:
        assert self.groups()["head"]["rayStartParams"]["num-cpus"] == "0"
        labels = self.groups()["head"]["template"]["metadata"]["labels"]
        assert render("overlays/ray")["Service"]["spec"]["selector"].items() <= labels.items()

    def test_a_worker_lives_on_while_the_head_is_away(self) -> None:
        (container,) = self.groups()["workers"]["template"]["spec"]["containers"]
        assert container["livenessProbe"]["tcpSocket"]["port"] == 10002
        assert self.groups()["workers"]["rayStartParams"]["node-manager-port"] == "10002"

    def test_ray_asks_for_a_token_everywhere(self) -> None:
        found = render("overlays/ray")
        options = found["RayCluster"]["spec"]["authOptions"]
        assert options["mode"] == "token"
        (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
        token = next(entry for entry in container["env"] if entry["name"] == "RAY_AUTH_TOKEN")
        assert token["valueFrom"]["secretKeyRef"]["name"] == options["secretName"]

    def test_one_pod_looks_after_it_by_the_heads_name(self) -> None:
        found = render("overlays/ray")
        (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
        name = found["RayCluster"]["metadata"]["name"]
        assert container["args"][-1] == f"ray://{name}-head-svc:10001"
        assert not {"livenessProbe", "readinessProbe", "startupProbe"} & container.keys()
        assert "PersistentVolumeClaim" not in found

    def test_its_configuration_is_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("CAMERA_USER", "CAMERA_PASSWORD", "OUTBOX_PASSWORD"):
            monkeypatch.setenv(name, "x")
        config = load_config(FOLDER / "overlays" / "ray" / "streamwatch.yml")
        assert config.cluster.host == "node"
        assert config.outbox.url is not None
