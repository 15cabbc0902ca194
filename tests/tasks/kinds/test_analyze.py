"""Which stages an analysis holds."""

from collections.abc import Callable
from pathlib import Path

from rl_core.files import write_json
from tasks.kinds.analyze import cold_starts
from tasks.stage.records import SPEC
from tasks.stage.spec import StageSpec, Upstream

SpecOf = Callable[..., StageSpec]


def made(spec: StageSpec) -> StageSpec:
    spec.directory.mkdir(parents=True)
    write_json(spec.directory / SPEC, spec.model_dump(mode="json"))
    return spec


def upstream(spec: StageSpec) -> Upstream:
    return Upstream(stage=spec.stage, kind=spec.kind, fingerprint=spec.fingerprint, directory=spec.directory, position=spec.position)


def test_the_fine_tuning_that_its_stages_build_on_is_among_them(spec_of: SpecOf, tmp_path: Path) -> None:
    def identity(**inputs: StageSpec) -> dict[str, object]:
        return {"inputs": {role: {spec.stage: spec.fingerprint} for role, spec in inputs.items()}}

    cold = made(spec_of("cold", kind="sft", position=1, fingerprint="a" * 16))
    warm = made(spec_of("warm", position=2, fingerprint="b" * 16, identity=identity(start=cold)))
    five = made(spec_of("five", position=3, fingerprint="c" * 16, identity=identity(start=warm)))
    scores = made(spec_of("scores", kind="eval", position=4, fingerprint="d" * 16, identity=identity(checkpoints=five)))

    def found(*of: StageSpec) -> list[tuple[str, str, int]]:
        spec = spec_of("cot", kind="analyze", position=5, fingerprint="e" * 16, upstream={"of": [upstream(above) for above in of]})
        return [(stage.stage, stage.kind, stage.position) for stage in cold_starts(spec)]

    assert found(five) == [("cold", "sft", 1)]
    assert found(scores) == [("cold", "sft", 1)]
    assert found(cold, five) == []
