"""The files for containers and clusters: each by its own tool, and that what they name is there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from flows.cli import main
from flows.recipe.load import shipped

INFRA = Path(__file__).parents[2] / "infra"
ROOT = INFRA.parent
IMAGES = {f"r1flow-{path.suffix[1:]}" for path in INFRA.glob("Containerfile.*")}


def read(name: str) -> Any:
    return yaml.safe_load((INFRA / name).read_text())


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "Containerfile.servers", "Containerfile.trainer"],
        ["shellcheck", "bootstrap.sh", "slurm.sbatch"],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"],
    ],
    ids=lambda command: command[0],
)
def test_a_linter_finds_nothing(command: list[str]) -> None:
    program = Path(sys.executable).with_name(command[0])
    if not program.exists():
        pytest.skip(f"{command[0]} is not installed: pip install 'r1flow[dev]'")
    done = subprocess.run([program, *command[1:]], cwd=INFRA, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ray_takes_its_cluster_file() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    cluster = read("ray-cluster.yaml")
    validate_config(prepare_config(cluster))
    assert cluster["docker"]["image"] in IMAGES


def test_prefect_takes_the_deployments_and_the_flow_their_parameters() -> None:
    from prefect.cli.deploy._models import PrefectYamlModel
    from prefect.flows import load_flow_from_entrypoint

    for deployment in PrefectYamlModel.model_validate(read("prefect.yaml")).deployments:
        assert deployment.parameters
        assert deployment.entrypoint
        assert load_flow_from_entrypoint(deployment.entrypoint).validate_parameters(deployment.parameters)
        assert deployment.name == deployment.parameters["recipe"]
        assert deployment.name in shipped()


def test_a_run_on_kubernetes_is_a_command_that_exists() -> None:
    job = read("rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    program, command, *arguments = job["spec"]["entrypoint"].split()
    assert program == "r1flow"
    main.commands[command].make_context(command, list(arguments))
    assert arguments[0] in shipped()
    for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        pod = group["template"]["spec"]
        names = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert container["image"] in IMAGES
            assert {mount["name"] for mount in container["volumeMounts"]} == names


def test_containers_listen_on_loopback_and_hold_no_secret() -> None:
    compose = read("compose.yaml")
    example = (INFRA / "env.example").read_text()
    offered = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    for name, service in compose["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert service["image"] in {*IMAGES, "postgres:17"}
        for variable, value in service["environment"].items():
            assert not re.search("PASSWORD|TOKEN|SECRET|AUTH_STRING", variable) or value.startswith("${"), variable
            assert set(re.findall(r"\$\{(\w+)", value)) <= offered
    for name in offered:
        if re.search("PASSWORD|TOKEN|SECRET", name):
            assert f"{name}=\n" in example


@pytest.mark.slow
def test_what_the_containers_run_is_installed_in_them() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for path in INFRA.glob("Containerfile.*"):
        (wanted,) = re.findall(r"infra/bootstrap\.sh (\S+)", path.read_text())
        assert set(wanted.split(",")) <= set(extras), path
    services = read("compose.yaml")["services"]
    assert services["prefect"]["command"][:3] == ["python", "-m", "flows.servers.prefect_server"]
    assert services["mlflow"]["command"][:2] == ["mlflow", "server"]
    for command in (services["prefect"]["command"][1:], ["-m", *services["mlflow"]["command"]]):
        done = subprocess.run([sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert services["runner"]["command"][:3] == ["python", "-m", "flows.deployments"]


def test_the_page_names_what_is_there() -> None:
    page = (INFRA / "README.md").read_text()
    for file in re.findall(r"infra/[\w.-]+", page):
        assert (ROOT / file).exists() or file == "infra/.env", file
    for command in re.findall(r"^\s*r1flow (\w+)", page, re.MULTILINE):
        assert isinstance(main.commands[command], click.Command)
    for path in INFRA.iterdir():
        assert path.name in page or path.name == "README.md" or path.name.startswith((".", "__")), path.name
