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
OVERLAYS = ["base", "overlays/gpu", "overlays/monitoring"]

pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl, which renders the manifests, is not installed")


def render(overlay: str) -> dict[str, Any]:
    """Kind → manifest."""
    found = subprocess.run(
        [str(KUBECTL), "kustomize", str(FOLDER / overlay)], capture_output=True, text=True, timeout=60, check=True
    )
    return {document["kind"]: document for document in yaml.safe_load_all(found.stdout)}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_takes_it(overlay: str) -> None:
    for kind, manifest in render(overlay).items():
        if kind != "ServiceMonitor":  # its schema comes with the Prometheus operator
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
