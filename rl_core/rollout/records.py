"""The row of a response on disk: one schema for training rollouts and for evaluation samples."""

import pyarrow as pa

# Columns that rollouts and evaluation samples share. Spans are character offsets into `response`, null where the part is missing.
RESPONSE_FIELDS = [
    pa.field("prompt_id", pa.string(), nullable=False),  # digest of the question: the same problem has the same id everywhere
    pa.field("task", pa.string(), nullable=False),  # knights_knaves, gsm8k, ...
    pa.field("difficulty", pa.string()),  # number of people, level, ...
    pa.field("sample", pa.int32(), nullable=False),  # 0 .. group size - 1
    pa.field("prompt", pa.string(), nullable=False),  # exactly as the model saw it, without the assistant's prefill
    pa.field("response", pa.string(), nullable=False),  # the assistant's turn: prefill of the template + generated text
    pa.field("think_start", pa.int32()),
    pa.field("think_end", pa.int32()),
    pa.field("answer_start", pa.int32()),
    pa.field("answer_end", pa.int32()),
    pa.field("prompt_tokens", pa.int32(), nullable=False),
    pa.field("response_tokens", pa.int32(), nullable=False),
    pa.field("think_tokens", pa.int32()),
    pa.field("answer_tokens", pa.int32()),
    pa.field("finish_reason", pa.string(), nullable=False),  # stop | length
    pa.field("outcome", pa.string(), nullable=False),  # rl_core.outcome.Outcome
    pa.field("extracted", pa.string()),
    pa.field("gold", pa.string(), nullable=False),
    pa.field("temperature", pa.float64(), nullable=False),  # 0: greedy
]

# Only in files of other frameworks: what tools and users wrote between the messages of the model, which is no part of `response`.
ENVIRONMENT_OUTPUT = pa.field("environment_output", pa.string())

ROLLOUT_SCHEMA = pa.schema(
    [
        pa.field("step", pa.int32(), nullable=False),  # 1-based optimizer step that consumed the rollout
        pa.field("group", pa.int32(), nullable=False),  # index of the prompt within the step
        *RESPONSE_FIELDS,
        pa.field("policy_version", pa.int32(), nullable=False),  # step of the weights that wrote it
        pa.field("reward", pa.float64(), nullable=False),
        pa.field("components", pa.map_(pa.string(), pa.float64()), nullable=False),  # weighted reward by component
        pa.field("advantage", pa.float64(), nullable=False),
        pa.field("logprob", pa.float64(), nullable=False),  # mean over response tokens, at the sampling temperature
    ]
)

SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("checkpoint", pa.string(), nullable=False),
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("mode", pa.string(), nullable=False),  # greedy | sampled
        *RESPONSE_FIELDS,
        pa.field("correct", pa.bool_(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
    ]
)
