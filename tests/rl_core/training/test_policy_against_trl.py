"""Loss and gradients of one fixed batch, ours and those of TRL's GRPOTrainer."""

import pytest
import torch

from rl_core.config.rl import RlConfig
from rl_core.training.policy import Experience, Policy, StepSettings, _Totals
from rl_core.training.sequences import TokenSequence

LENGTHS = [3, 5, 7, 4]
PROMPT = [5, 6, 7]
ADVANTAGES = [1.2, -0.7, 0.4, -0.9]
SETTINGS = StepSettings(learning_rate=0.0, temperature=0.7, kl_coefficient=0.05, value_learning_rate=0.0)
CHANGES = {
    "grpo": ({"name": "grpo"}, {"loss_type": "grpo"}),
    "dr_grpo": ({"name": "dr_grpo"}, {"loss_type": "dr_grpo"}),
    "dapo": ({"name": "dapo", "max_refills": 0}, {"loss_type": "dapo", "epsilon_high": 0.28}),
    "gspo": (
        {"name": "gspo", "clip_low": 0.02, "clip_high": 0.02},
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.02, "epsilon_high": 0.02},
    ),
}


def theirs(checkpoint, output, changes, completions, old, reference):
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    arguments = GRPOConfig(
        output_dir=str(output),
        per_device_train_batch_size=4,
        num_generations=2,
        max_completion_length=16,
        temperature=SETTINGS.temperature,
        beta=SETTINGS.kl_coefficient,
        use_cpu=True,
        use_bias_correction_kl=False,
        bf16=False,
        report_to=[],
        gradient_checkpointing=False,
        **({"epsilon": 0.2, "epsilon_high": 0.2} | changes),
    )
    data = Dataset.from_list([{"prompt": "a"}] * 4)
    trainer = GRPOTrainer(model=str(checkpoint), args=arguments, reward_funcs=lambda completions, **_: [0.0] * 4, train_dataset=data)
    trainer.current_gradient_accumulation_steps = 1
    width = max(LENGTHS)

    def padded(rows):
        return torch.stack([torch.nn.functional.pad(torch.as_tensor(row), (0, width - len(row))) for row in rows])

    mask = padded([torch.ones(length, dtype=torch.long) for length in LENGTHS])
    model = trainer.model.float().train()
    loss = trainer._compute_loss(
        model,
        {
            "prompt_ids": torch.tensor([PROMPT] * 4),
            "prompt_mask": torch.ones(4, len(PROMPT), dtype=torch.long),
            "completion_ids": padded(completions),
            "completion_mask": mask,
            "advantages": torch.tensor(ADVANTAGES),
            "old_per_token_logps": padded(old),
            "ref_per_token_logps": padded(reference),
            "num_items_in_batch": mask.sum(),
        },
    )
    loss.backward()
    return float(loss.detach()), torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_loss_and_gradient_are_those_of_trl(tiny_checkpoint, tmp_path, name: str) -> None:
    algorithm, changes = CHANGES[name]
    config = {"steps": 1, "max_response_tokens": 16, "precision": "float32", "max_grad_norm": 1e9, "algorithm": algorithm}
    policy = Policy(str(tiny_checkpoint), RlConfig.model_validate(config))
    random = torch.Generator().manual_seed(0)
    completions = [torch.randint(20, 200, (length,), generator=random).tolist() for length in LENGTHS]
    sequences = [TokenSequence(PROMPT, completion) for completion in completions]
    now = policy._log_probs(policy._score, sequences, SETTINGS.temperature)
    # Old and reference a little away, so that some ratios are clipped and the KL term is not nothing.
    old = [row + 0.3 * torch.randn(len(row), generator=random) for row in now]
    reference = [row + 0.5 * torch.randn(len(row), generator=random) for row in now]
    experiences = [Experience(sequence, row.tolist(), 0.0, 0) for sequence, row in zip(sequences, old, strict=True)]
    advantages = [torch.full((length,), advantage) for advantage, length in zip(ADVANTAGES, LENGTHS, strict=True)]

    from rl_core.algorithms.losses import token_weights

    weights = token_weights(LENGTHS, policy.config.algorithm.aggregation, 16)
    totals = _Totals()
    policy._update(list(enumerate(weights)), experiences, advantages, old, reference, SETTINGS, totals)
    ours = torch.cat([p.grad.flatten() for p in policy.backend.model.parameters()])

    loss, gradient = theirs(tiny_checkpoint, tmp_path, changes, completions, old, reference)
    assert totals.clip_fraction > 0
    assert totals.loss == pytest.approx(loss, abs=1e-5)
    assert (ours - gradient).abs().max() < 1e-5
    assert gradient.abs().max() > 1e-3
