from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from flows.recipe.load import check
from flows.recipe.names_elsewhere import INSTEAD_OF, SAME, advice_for, called_here
from flows.recipe.schema import Recipe, RecipeError
from flows.recipe.setting_paths import by_path
from tasks.kinds.data import STAGES as DATA_STAGES
from tasks.kinds.eval import EvalStage
from tasks.kinds.rl import RlStage
from tasks.kinds.sft import SftStage

FIXTURES = Path(__file__).parents[2] / "fixtures"
CLASSES = [Recipe, *DATA_STAGES.values(), SftStage, RlStage, EvalStage]

# Names as they stand in TRL's GRPOConfig, verl's ppo_trainer.yaml and OpenRLHF's train_ppo_ray.
OF_RL_STAGES = {
    "learning_rate": ["actor_rollout_ref.actor.optim.lr", "--actor_learning_rate"],
    "learning_rate.schedule": ["lr_scheduler_type", "actor_rollout_ref.actor.optim.warmup_style", "--lr_scheduler"],
    "learning_rate.warmup": ["warmup_steps", "actor_rollout_ref.actor.optim.lr_warmup_steps_ratio", "--lr_warmup_ratio"],
    "group_size": ["num_generations", "actor_rollout_ref.rollout.n", "--n_samples_per_prompt"],
    "max_response_tokens": ["max_completion_length", "data.max_response_length", "--generate_max_len"],
    "prompts_per_step": ["per_device_train_batch_size", "data.train_batch_size", "--rollout_batch_size"],
    "minibatches": ["steps_per_generation", "actor_rollout_ref.actor.ppo_mini_batch_size"],
    "updates_per_step": ["num_iterations", "actor_rollout_ref.actor.ppo_epochs", "--max_epochs"],
    "epochs": ["num_train_epochs", "trainer.total_epochs", "--num_episodes"],
    "steps": ["max_steps", "trainer.total_training_steps"],
    "max_grad_norm": ["actor_rollout_ref.actor.grad_clip", "--max_norm"],
    "weight_decay": ["--l2"],
    "checkpoint_every": ["save_steps", "trainer.save_freq"],
    "keep_last": ["save_total_limit", "trainer.max_actor_ckpt_to_keep", "--max_ckpt_num"],
    "algorithm.kl_coefficient": ["beta", "algorithm.kl_ctrl.kl_coef", "actor_rollout_ref.actor.kl_loss_coef", "--init_kl_coef"],
    "algorithm.clip_low": ["epsilon", "actor_rollout_ref.actor.clip_ratio", "--eps_clip"],
    "algorithm.clip_high": ["epsilon_high", "actor_rollout_ref.actor.clip_ratio_high"],
    "algorithm.dual_clip": ["delta", "actor_rollout_ref.actor.clip_ratio_c"],
    "algorithm.entropy_coefficient": ["actor_rollout_ref.actor.entropy_coeff", "--entropy_loss_coef"],
    "algorithm.aggregation": ["loss_type", "actor_rollout_ref.actor.loss_agg_mode"],
    "algorithm.advantage": ["scale_rewards", "algorithm.adv_estimator", "--advantage_estimator"],
    "algorithm.discount": ["algorithm.gamma", "--gamma"],
    "algorithm.trace": ["algorithm.lam", "--lambd"],
    "algorithm.value_learning_rate": ["critic.optim.lr", "--critic_learning_rate"],
    "algorithm.max_refills": ["algorithm.filter_groups.enable", "--dynamic_filtering"],
    "engine": ["use_vllm", "actor_rollout_ref.rollout.name"],
    "resources.engine_memory": ["vllm_gpu_memory_utilization", "actor_rollout_ref.rollout.gpu_memory_utilization"],
    "resources.tensor_parallel": ["vllm_tensor_parallel_size", "actor_rollout_ref.rollout.tensor_model_parallel_size"],
    "resources.rollout_workers": ["--vllm_num_engines"],
    "resources.training_workers": ["trainer.n_gpus_per_node", "--actor_num_gpus_per_node"],
    "resources.gradient_checkpointing": ["actor_rollout_ref.model.enable_gradient_checkpointing"],
    "resources.offload": ["actor_rollout_ref.actor.fsdp_config.param_offload", "--adam_offload"],
    "lora.rank": ["lora_r", "actor_rollout_ref.model.lora_rank", "--lora_rank"],
    "reward": ["reward_funcs", "reward_weights"],
    "penalties.overlong.buffer": ["overlong_buffer.len", "--overlong_buffer_len"],
}


@pytest.mark.parametrize(("name", "path"), [(name, path) for path, names in OF_RL_STAGES.items() for name in names])
def test_settings_of_other_trainers_are_known_by_their_names(name: str, path: str) -> None:
    assert called_here(name, RlStage) == path


def test_a_name_means_what_the_kind_of_stage_has() -> None:
    assert called_here("num_train_epochs", SftStage) == "steps"
    assert called_here("per_device_train_batch_size", SftStage) == "batch_size"
    assert called_here("max_new_tokens", EvalStage) == "max_tokens"
    assert called_here("n", EvalStage) == "samples"
    assert called_here("pretrain", Recipe) == "model"
    assert called_here("beta", SftStage) is None


def test_what_has_no_setting_is_said() -> None:
    assert advice_for("trainer.test_freq") == "evaluation is a stage of kind eval, which names `checkpoints`"
    assert advice_for("learning_rate") is None


def test_every_setting_of_trls_grpo_is_answered() -> None:
    """Those of the version that is installed: a new one has no answer yet."""
    grpo = pytest.importorskip("trl").GRPOConfig
    ours = {*by_path(RlStage), *Recipe.model_fields}
    names = [field.name for field in dataclasses.fields(grpo)]
    assert len(names) > 150
    assert [
        name for name in names if not (name in ours or called_here(name, RlStage) or called_here(name, Recipe) or advice_for(name))
    ] == []


# The keys of verl's ppo_trainer.yaml (0.7) that experiments set.
VERL = """
data.train_files data.val_files data.max_prompt_length data.max_response_length data.train_batch_size data.shuffle 
data.filter_overlong_prompts
actor_rollout_ref.model.path actor_rollout_ref.model.enable_gradient_checkpointing actor_rollout_ref.model.use_remove_padding
actor_rollout_ref.model.lora_rank actor_rollout_ref.model.lora_alpha actor_rollout_ref.model.target_modules
actor_rollout_ref.actor.strategy actor_rollout_ref.actor.ppo_mini_batch_size actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu
actor_rollout_ref.actor.use_dynamic_bsz actor_rollout_ref.actor.ppo_max_token_len_per_gpu actor_rollout_ref.actor.grad_clip
actor_rollout_ref.actor.clip_ratio actor_rollout_ref.actor.clip_ratio_low actor_rollout_ref.actor.clip_ratio_high
actor_rollout_ref.actor.clip_ratio_c actor_rollout_ref.actor.loss_agg_mode actor_rollout_ref.actor.entropy_coeff
actor_rollout_ref.actor.use_kl_loss actor_rollout_ref.actor.kl_loss_coef actor_rollout_ref.actor.kl_loss_type
actor_rollout_ref.actor.ppo_epochs actor_rollout_ref.actor.shuffle actor_rollout_ref.actor.optim.lr
actor_rollout_ref.actor.optim.lr_warmup_steps actor_rollout_ref.actor.optim.lr_warmup_steps_ratio actor_rollout_ref.actor.optim.weight_decay
actor_rollout_ref.actor.ulysses_sequence_parallel_size actor_rollout_ref.actor.fsdp_config.param_offload
actor_rollout_ref.actor.fsdp_config.optimizer_offload actor_rollout_ref.rollout.name actor_rollout_ref.rollout.n
actor_rollout_ref.rollout.temperature actor_rollout_ref.rollout.top_p actor_rollout_ref.rollout.top_k actor_rollout_ref.rollout.dtype
actor_rollout_ref.rollout.gpu_memory_utilization actor_rollout_ref.rollout.tensor_model_parallel_size actor_rollout_ref.rollout.max_num_seqs
actor_rollout_ref.rollout.enforce_eager actor_rollout_ref.rollout.free_cache_engine actor_rollout_ref.rollout.val_kwargs.n
actor_rollout_ref.hybrid_engine algorithm.gamma algorithm.lam algorithm.adv_estimator algorithm.norm_adv_by_std_in_grpo
algorithm.use_kl_in_reward algorithm.kl_penalty algorithm.kl_ctrl.kl_coef algorithm.filter_groups.enable
critic.optim.lr critic.cliprange_value
reward_model.reward_manager custom_reward_function.path custom_reward_function.name trainer.total_epochs trainer.total_training_steps
trainer.project_name trainer.experiment_name trainer.logger trainer.nnodes trainer.n_gpus_per_node trainer.save_freq trainer.test_freq
trainer.val_before_train trainer.default_local_dir trainer.max_actor_ckpt_to_keep trainer.resume_from_path
"""


@pytest.mark.parametrize("name", VERL.split())
def test_verls_settings_are_answered(name: str) -> None:
    known = any(called_here(name, model) for model in (RlStage, EvalStage, Recipe)) or name.rpartition(".")[2] in by_path(RlStage)
    assert known or advice_for(name)


@pytest.mark.follows("there is nothing like it here; remove it")
def test_what_has_no_counterpart_is_said_and_removed() -> None:
    recipe = yaml.safe_load((FIXTURES / "mini.yaml").read_text())
    recipe["stages"]["warm"]["vespo_k_pos"] = 2
    with pytest.raises(RecipeError, match=r"stages.warm.vespo_k_pos: .*there is nothing like it here; remove it"):
        check(recipe)
    del recipe["stages"]["warm"]["vespo_k_pos"]
    check(recipe)


def test_every_path_of_the_table_is_a_setting_and_no_name_of_it_is_one() -> None:
    paths = {path for model in CLASSES for path in by_path(model)}
    assert not [path for path in SAME if path not in paths]
    for model in CLASSES:
        own = set(model.model_fields)
        assert not [(name, path) for path in own & SAME.keys() for name in SAME[path].split() if name in own]
    assert not INSTEAD_OF.keys() & set(RlStage.model_fields)
