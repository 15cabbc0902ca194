"""Episodes of rLLM (`Episode.to_dict`): trajectories of steps with what the model saw and wrote."""

from collections.abc import Iterator

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format
from evals.analytics.external.messages import prompt_text, response_text
from evals.analytics.external.response import Response, Row, number, verdict
from evals.analytics.external.table import step_of


def _read(rows: Iterator[Row], file: File) -> Iterator[Response]:
    for row in rows:
        for trajectory in row["trajectories"]:
            steps = trajectory["steps"]
            if not steps:
                continue
            texts = [response_text(step.get("model_response"))[0] for step in steps]
            seen = [prompt_text(step.get("observation")) or "" for step in steps]
            yield Response(
                prompt=seen[0] or prompt_text(row.get("task")),
                response="\n".join(texts),
                environment_output="\n".join(text for text in seen[1:] if text) or None,
                reward=number(trajectory.get("reward")),
                correct=verdict(row.get("is_correct")) if len(row["trajectories"]) == 1 else None,
                step=step_of(file.path),
            )


FORMAT = Format("rLLM", recognises=lambda row, file: isinstance(row.get("trajectories"), list) and "is_correct" in row, read=_read)
