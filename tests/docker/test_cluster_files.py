"""The cluster's image, compose file, start script and KubeRay manifest, as far as they can be told without an engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sldagent import __version__

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (the extra 'ray' brings it)")


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    return repository / "docker"


@pytest.fixture(scope="module")
def compose(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def manifest(folder: Path) -> dict[str, dict[str, Any]]:
    documents = yaml.safe_load_all((folder / "kuberay.yaml").read_text(encoding="utf-8"))
    return {document["kind"]: document for document in documents}


def test_the_image_copies_what_is_there_and_is_this_release(folder: Path) -> None:
    text = (folder / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE):
        for source in line.split():
            assert (folder.parent / source).exists(), source
    assert f"sldagent:{__version__} " in text
    assert text.index("USER sldagent") < text.index("ENTRYPOINT")


def test_compose_services_know_each_other(compose: dict[str, Any], folder: Path) -> None:
    services = compose["services"]
    assert set(services) == {"postgres", "head", "worker", "coordinator"}
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services)
        assert set(service["networks"]) <= set(compose["networks"])
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        if name != "postgres":
            assert service["image"] == f"sldagent:{__version__}"
            assert (folder / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    for dependency in ("head", "postgres"):
        assert "healthcheck" in services[dependency]
    assert "--address=head:6379" in services["worker"]["command"]
    assert "--port=6379" in services["head"]["command"]
    assert (folder / compose["configs"]["coordinator"]["file"]).is_file()


def test_workers_reach_neither_the_database_nor_the_world(compose: dict[str, Any]) -> None:
    for name in ("head", "worker"):
        service = compose["services"][name]
        assert service["networks"] == ["cluster"]
        assert "secrets" not in service
        assert "environment" not in service
        assert "ports" not in service
    assert compose["networks"]["cluster"] == {"internal": True}
    assert compose["networks"]["archive"] == {"internal": True}


def test_no_password_is_written_down(folder: Path) -> None:
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"PASSWORD\s*[:=]\s*[^\s_]", text), path.name
        assert not re.search(r"://\w+:\w+@", text), path.name


def test_kuberay_fields(manifest: dict[str, dict[str, Any]]) -> None:
    cluster = manifest["RayCluster"]
    assert cluster["apiVersion"] == "ray.io/v1"
    head, (workers,) = cluster["spec"]["headGroupSpec"], cluster["spec"]["workerGroupSpecs"]
    assert head["rayStartParams"]["num-cpus"] == "0"  # the head only coordinates
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    for group in (head, workers):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        (container,) = group["template"]["spec"]["containers"]
        assert container["image"] == f"sldagent:{__version__}"
        assert set(container["resources"]) == {"requests", "limits"}
    assert workers["template"]["spec"]["automountServiceAccountToken"] is False


def test_the_coordinator_finds_the_head_and_its_disk(manifest: dict[str, dict[str, Any]]) -> None:
    spec = manifest["Deployment"]["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}  # never two at a time
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert f"--address={manifest['RayCluster']['metadata']['name']}-head-svc:6379" in container["command"]
    (volume,) = pod["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == manifest["PersistentVolumeClaim"]["metadata"]["name"]
    assert container["volumeMounts"][0]["name"] == volume["name"]
    labels = spec["template"]["metadata"]["labels"]
    (rule,) = manifest["NetworkPolicy"]["spec"]["ingress"]
    assert {"podSelector": {"matchLabels": labels}} in rule["from"]


def test_rays_version_is_the_locked_one(manifest: dict[str, dict[str, Any]], repository: Path) -> None:
    (locked,) = re.findall(r"^ray==(\S+)", (repository / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    assert manifest["RayCluster"]["spec"]["rayVersion"] == locked


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
@pytest.mark.parametrize("verb", ["discover", "runs"])
def test_the_start_script(folder: Path, tmp_path: Path, verb: str) -> None:
    """Run with stand-ins for ray and sldagent that tell how they were called."""
    for name in ("ray", "sldagent"):
        tool = tmp_path / name
        tool.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} > {tmp_path}/{name}.txt\n')
        tool.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), "PGHOST": "postgres", "PGUSER": "sldagent",
        "PGDATABASE": "sldagent", "OPENAI_API_KEY": "sk-hidden",
    }  # fmt: skip
    subprocess.run(["sh", str(folder / "coordinator.sh"), verb, "word"], env=environment, check=True)
    said = (tmp_path / "sldagent.txt").read_text()
    ray = " --ray auto" if verb == "discover" else ""
    assert said.splitlines()[0] == f"{verb} word{ray} --archive postgresql://sldagent@postgres/sldagent"
    assert "sk-hidden" in said
    assert (tmp_path / "ray.txt").exists() == (verb == "discover")
    if verb == "discover":
        assert "sk-hidden" not in (tmp_path / "ray.txt").read_text()
