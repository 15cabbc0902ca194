"""The backend of a recipe."""

from transformers import PreTrainedModel

from rl_core.config.rl import RlConfig
from rl_core.training.backends.base import TrainingBackend
from rl_core.training.backends.collective import TrainingGroup
from rl_core.training.backends.torch_backend import TorchBackend


def rl_backend(model: PreTrainedModel, config: RlConfig, group: TrainingGroup) -> TrainingBackend:
    """The backend of a model that an RL stage trains: its policy or its critic."""
    if config.resources.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if config.backend == "deepspeed":
        from rl_core.training.backends.deepspeed_backend import DeepSpeedBackend

        return DeepSpeedBackend(model, config, group)
    return TorchBackend(
        model,
        weight_decay=config.weight_decay,
        adam_betas=config.adam_betas,
        adam_epsilon=config.adam_epsilon,
        max_grad_norm=config.max_grad_norm,
        tokens_per_batch=config.resources.tokens_per_batch,
        precision=config.precision,
        group=group,
    )
