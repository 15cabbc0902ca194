import pytest
import torch
from safetensors.torch import load_file, save_file

from rl_core.model.pretrained import load_model
from rl_core.training.backends.torch_backend import MUON_RATE, TorchBackend
from rl_core.training.log_probs import response_scores
from rl_core.training.sequences import TokenSequence, micro_batches

SEQUENCES = [TokenSequence([5, 6, 7 + n], [20 + n] * (3 + 2 * n)) for n in range(4)]


def make(checkpoint, optimizer: str = "adamw", weight_decay: float = 0.1) -> TorchBackend:
    model = load_model(str(checkpoint), dtype=torch.float32)
    return TorchBackend(model, weight_decay=weight_decay, adam_betas=(0.9, 0.95), adam_epsilon=1e-8, max_grad_norm=1e9, optimizer=optimizer)


def step(backend: TorchBackend, tokens_per_batch: int, learning_rate: float = 0.0) -> float:
    return backend.update(
        list(micro_batches(SEQUENCES, tokens_per_batch)),
        lambda batch: -backend.run(response_scores, batch, 1.0).log_probs_N.sum() / 24,
        learning_rate=learning_rate,
    )


def test_gradient_does_not_depend_on_the_micro_batches(tiny_checkpoint) -> None:
    gradients = []
    for tokens_per_batch in (1, 24, 10_000):
        backend = make(tiny_checkpoint)
        step(backend, tokens_per_batch)
        gradients.append(torch.cat([p.grad.flatten() for p in backend.model.parameters()]))
    scale = gradients[0].abs().max()
    for gradient in gradients[1:]:  # bfloat16 products in another order
        assert (gradient - gradients[0]).abs().max() < 0.01 * scale


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_optimizer_continues_bit_for_bit_from_disk(tiny_checkpoint, tmp_path, optimizer) -> None:
    straight = make(tiny_checkpoint, optimizer)
    for _ in range(4):
        step(straight, 10_000, 1e-2)
    first = make(tiny_checkpoint, optimizer)
    for _ in range(2):
        step(first, 10_000, 1e-2)
    save_file(first.optimizer_state(), tmp_path / "optimizer.safetensors")
    second = make(tiny_checkpoint, optimizer)
    second.model.load_state_dict(first.model.state_dict())
    second.load_optimizer_state(load_file(tmp_path / "optimizer.safetensors"))
    for _ in range(2):
        step(second, 10_000, 1e-2)
    assert all(torch.equal(a, b) for a, b in zip(straight.model.parameters(), second.model.parameters(), strict=True))


def test_muon_turns_hidden_matrices_by_orthogonal_updates(tiny_checkpoint) -> None:
    backend = make(tiny_checkpoint, "muon", weight_decay=0.0)
    before = {name: parameter.detach().clone() for name, parameter in backend.model.named_parameters()}
    step(backend, 10_000, 1e-2)
    updates = {name: parameter.detach() - before[name] for name, parameter in backend.model.named_parameters()}
    projection = updates["model.layers.0.mlp.down_proj.weight"]
    # Five Newton-Schulz iterations bring all but the smallest singular values to 0.7 to 1.2, times the rate, times 0.2 sqrt(longer side).
    singular = torch.linalg.svdvals(projection) / (MUON_RATE * 1e-2 * 0.2 * max(projection.shape) ** 0.5)
    assert singular[:10].min() > 0.7
    assert singular.max() < 1.3
    # AdamW's first step moves every entry that has a gradient by the learning rate.
    embedding = updates["model.embed_tokens.weight"]
    assert embedding[20].abs().median().item() == pytest.approx(1e-2, rel=1e-2)


def test_a_gradient_that_is_not_finite_skips_the_step(tiny_checkpoint) -> None:
    backend = make(tiny_checkpoint)
    before = [parameter.clone() for parameter in backend.model.parameters()]
    norm = backend.update(
        list(micro_batches(SEQUENCES, 10_000)),
        lambda batch: backend.run(response_scores, batch, 1.0).log_probs_N.sum() * float("nan"),
        learning_rate=1e-2,
    )
    assert norm != pytest.approx(norm, nan_ok=False)
    assert all(torch.equal(a, b) for a, b in zip(before, backend.model.parameters(), strict=True))
