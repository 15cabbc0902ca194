"""NeMo-RL's logs of training and validation data (`train_data_step*.jsonl`): the texts of a conversation and its reward.

The log does not say who wrote a text: of several the last is the response.
"""

from evals.analytics.external.files import File
from evals.analytics.external.formats import Format
from evals.analytics.external.response import ExternalFileError, Row
from evals.analytics.external.table import table

NAMES = {"prompt": ["prompt"], "response": ["response"], "reward": ["rewards"]}


def _parted(row: Row, file: File) -> Row:
    texts = row["content"] if isinstance(row["content"], list) else [row["content"]]
    if len(texts) > 3:
        raise ExternalFileError(
            f"{file.path}, row {file.row}: a conversation of {len(texts)} texts, of which the log of NeMo-RL does not say who wrote them"
        )
    return row | {"prompt": "\n".join(texts[:-1]) or None, "response": texts[-1]}


FORMAT = Format(
    "NeMo-RL",
    recognises=lambda row, file: {"content", "rewards"} <= row.keys() and "prompt" not in row and "response" not in row,
    read=table(NAMES, prepare=_parted),
    columns=True,
)
