"""A checkpoint as a model on the Hugging Face hub: its files, the recipe that made it, and a card written from its lineage."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from flows.history.lineage import Made, Subject, chain, read, rebuild
from flows.recipe.load import resolved
from flows.recipe.schema import Recipe
from flows.runs.stage_warnings import stage_warnings
from rl_core.addresses import without_secrets
from rl_core.config.own_files import paths_in
from rl_core.errors import InputError, first_line
from rl_core.training.checkpoint import ONLY_TO_TRAIN, verify
from tasks.kind import ModelKind
from tasks.kinds import kinds_that_make
from tasks.stage.records import SCORES, SPEC, read_record
from tasks.stage.spec import read_manifest
from tasks.workspace import Workspace

CARD, RECIPE = "README.md", "recipe.yaml"
TEMPLATE = Path(__file__).with_name("model_card.md")


def write_folder(workspace: Workspace, subject: Subject, repo: str, folder: Path, *, ask_hub: bool) -> None:
    """Write all that the hub is given of a checkpoint.

    Args:
        folder: is made, or has to be empty.
        ask_hub: whether the hub may be asked for the licence of the start model.

    Raises:
        InputError: the folder is not empty, or the checkpoint is none, or damaged.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder}: is not empty; name another folder, or remove it")
    checkpoint = subject.weights()
    if not verify(checkpoint, to_train=False):
        raise InputError(f"{checkpoint}: does not match its digests; run the stage again, or name another checkpoint")
    shutil.copytree(checkpoint, folder, ignore=shutil.ignore_patterns(*ONLY_TO_TRAIN), dirs_exist_ok=True)
    stages = chain(workspace, subject.stage)
    recipe = rebuild(stages)
    (folder / RECIPE).write_text(without_secrets(recipe_text(recipe)), encoding="utf-8")
    card = _card(workspace, subject, stages, recipe, repo.partition("/")[2], ask_hub=ask_hub)
    (folder / CARD).write_text(without_secrets(card), encoding="utf-8")


def recipe_text(recipe: Recipe) -> str:
    """A recipe as YAML, without the folders of this machine: a user's own files belong beside it."""
    settings = resolved(recipe)
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=110)
    model = [Path(recipe.model)] if isinstance(recipe.model, str) else []
    for path in filter(Path.is_absolute, [*paths_in(settings), *model]):
        text = text.replace(f"{path.parent}/", "")
    return text


def push(workspace: Workspace, subject: Subject, repo: str, *, private: bool) -> str:
    """Upload a checkpoint with its card; returns its address. What the repository holds beside it stays.

    Raises:
        InputError: as `write_folder`, or the hub is out of reach, or refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled

    hub = HfApi(library_name="r1flow")
    try:
        hub.whoami()
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "model"
            write_folder(workspace, subject, repo, folder, ask_hub=True)
            hub.create_repo(repo, private=private, exist_ok=True)
            message = f"Upload {subject.stage.spec['experiment']}/{subject.stage.name}/{subject.weights().name}"
            hub.upload_folder(repo_id=repo, folder_path=folder, commit_message=message)
    except LocalTokenNotFoundError as error:
        raise InputError(f"{hub.endpoint}: wants a token; set HF_TOKEN, or log in with `hf auth login`") from error
    except HFValidationError as error:
        raise InputError(f"{repo}: write ORG/NAME, of letters, digits, '.', '_' and '-'") from error
    except HfHubHTTPError as error:
        raise InputError(
            f"{hub.endpoint}: refuses {repo} ({first_line(error)}); look at the token's rights, or take another name"
        ) from error
    except OfflineModeIsEnabled as error:
        raise InputError(f"{hub.endpoint}: may not be asked, for HF_HUB_OFFLINE is set; unset it, or give --dry-run") from error
    except _unreachable() as error:
        raise InputError(f"{hub.endpoint}: out of reach ({first_line(error)}); give the command again when it answers") from error
    return f"{hub.endpoint}/{repo}"


def _card(workspace: Workspace, subject: Subject, stages: list[Made], recipe: Recipe, name: str, *, ask_hub: bool) -> str:
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    start = next((made.spec["model"] for made in stages if isinstance(made.spec["model"], str)), None)
    scores, ways = list(_scores(workspace, subject)), _ways(recipe)
    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=score["benchmark"],
            dataset_name=score["benchmark"],
            metric_type=score["metric"],
            metric_value=score["share"],
        )
        for score in scores
    ]
    data = ModelCardData(
        license=_licence(start, ask_hub=ask_hub),
        base_model=None if start is None else Path(start).name if Path(start).is_dir() else start,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["r1flow", *ways],
        model_name=name,
        eval_results=results or None,
    )
    spec = subject.stage.spec
    return ModelCard.from_template(
        data,
        template_path=str(TEMPLATE),
        name=name,
        what=f"{Path(start).name if start else 'A model made from scratch'}, trained by {', then '.join(way.upper() for way in ways)}",
        experiment=spec["experiment"],
        stage=spec["stage"],
        checkpoint=subject.weights().name,
        scores=scores,
        stages=[_row(made) for made in stages],
        warnings=[f"{made.name}: {text}" for made in stages for text in stage_warnings(made.directory)],
    ).content


def _row(made: Made) -> dict[str, str]:
    groups = made.spec["identity"]["inputs"].values()
    names = [str(made.spec["model"])] if isinstance(made.spec["model"], str) else []
    of = ", ".join([*(Path(name).name for name in names), *(name for group in groups for name in group)])
    return {"name": made.name, "kind": made.spec["kind"], "of": of or "-", "fingerprint": made.spec["fingerprint"][:16]}


def _ways(recipe: Recipe) -> list[str]:
    """How the stages of a recipe train: the algorithm, else the kind."""
    trained = {name: recipe.kind(name) for name in recipe.stages if "checkpoint" in recipe.kind(name).makes}
    found = [(kind.algorithm(recipe.stages[name]) if isinstance(kind, ModelKind) else None) or kind.name for name, kind in trained.items()]
    return list(dict.fromkeys(found))


def _scores(workspace: Workspace, subject: Subject) -> Iterator[dict[str, Any]]:
    """Of every finished evaluation of the experiment that evaluated this checkpoint as the last one of its stage."""
    made = subject.stage
    if subject.weights().name != Path(str(made.result.get("checkpoint"))).name:
        return
    for directory in sorted((workspace.root / made.spec["experiment"]).iterdir()):
        if read_manifest(directory) is None or (read_record(directory / SPEC) or {}).get("kind") not in kinds_that_make("scores"):
            continue
        evaluation = read(directory)
        if evaluation.spec["identity"]["inputs"].get("checkpoints", {}).get(made.name) != made.spec["fingerprint"]:
            continue
        found = read_record(directory / SCORES) or {"scores": [], "cells": []}
        protocols = {cell["benchmark"]: cell["protocol"]["name"] for cell in found["cells"]}
        for score in found["scores"]:
            if score["checkpoint"] == made.name and score["subset"] is None:
                interval = f" [{100 * score['low']:.1f}, {100 * score['high']:.1f}]" if score.get("low") is not None else ""
                yield {
                    "benchmark": score["benchmark"],
                    "metric": f"{score['mode']} {score['metric']}",
                    "share": round(score["value"], 4),
                    "value": f"{100 * score['value']:.1f}{interval}",
                    "problems": score["problems"],
                    "samples": score["samples"],
                    "protocol": protocols.get(score["benchmark"]) or "settings of the recipe",
                }


def _licence(start: str | None, *, ask_hub: bool) -> str | None:
    """What the card of the start model says; None where nobody knows."""
    from huggingface_hub import ModelCard

    if start is None or not (ask_hub or Path(start).is_dir()):
        return None
    card = Path(start) / CARD if Path(start).is_dir() else start
    try:
        found = ModelCard.load(card).data.to_dict().get("license")
    except (OSError, ValueError, _unreachable()):
        return None
    return str(found) if found else None


def _unreachable() -> type[Exception]:
    """What the hub's client raises where there is no answer: an error of httpx or of httpx2, by its version."""
    from huggingface_hub import errors

    found: type[Exception] = vars(errors)["HTTPError"]
    return found
