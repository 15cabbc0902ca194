"""What other trainers call a setting, and what it is called here.

From TRL (GRPOConfig, and transformers' TrainingArguments below it), verl (ppo_trainer.yaml and the files it includes, the DAPO recipe),
OpenRLHF (train_ppo_ray), vLLM and lm-evaluation-harness, and short forms that people use. Names are compared in lower case with `_`, by
their last parts: `critic.optim.lr` goes before `lr`.
"""

from __future__ import annotations

from flows.recipe.setting_paths import by_path
from rl_core.config.base import Settings

# Path in a stage or recipe: names in other trainers. A name may mean several paths: the first that the stage has.
SAME: dict[str, str] = {
    "learning_rate": "lr actor_learning_rate actor_lr peak_lr max_lr",
    "learning_rate.schedule": "lr_scheduler_type lr_scheduler lr_schedule scheduler warmup_style",
    "learning_rate.warmup": "warmup warmup_steps warmup_ratio lr_warmup_steps lr_warmup_steps_ratio lr_warmup_ratio",
    "learning_rate.end": "min_lr min_lr_ratio",
    "algorithm.value_learning_rate": "critic_learning_rate critic.optim.lr critic_lr",
    "algorithm.name": "algo rl_algorithm policy_loss_type",
    "algorithm.advantage": (
        "scale_rewards adv_estimator advantage_estimator norm_adv_by_std_in_grpo no_advantage_std_norm"  # group_normalized, group_centered
    ),
    "algorithm.aggregation": "loss_type loss_agg_mode",
    "algorithm.ratio": "importance_sampling_level",
    "algorithm.clip_low": "epsilon epsilon_low eps clip cliprange clip_range clip_ratio clip_ratio_low eps_clip eps_clip_low_high",
    "algorithm.clip_high": "epsilon_high clip_ratio_high eps_clip_high clip_higher",
    "algorithm.dual_clip": "delta clip_ratio_c",
    "algorithm.entropy_coefficient": "entropy_coeff entropy_coef entropy_loss_coef ent_coef entropy_bonus",
    "algorithm.kl_coefficient": "beta kl kl_beta kl_coef kl_coeff kl_loss_coef kl_loss_coeff init_kl_coef kl_weight kl_penalty_coef",
    "algorithm.kl_estimator": "kl_loss_type kl_penalty kl_type",
    "algorithm.kl_in": "use_kl_loss use_kl_in_reward",
    "algorithm.kl_clamp": "kl_clip kl_max",
    "algorithm.kl_discounts": "kl_gamma",
    "algorithm.mismatch": (
        "vllm_importance_sampling_correction vllm_importance_sampling_mode enable_vllm_is_correction rollout_is rollout_rs tis"
    ),
    "algorithm.importance_cap": "vllm_importance_sampling_cap vllm_importance_sampling_clip_max tis_imp_ratio_cap rollout_is_threshold",
    "algorithm.discount": "gamma",
    "algorithm.trace": "lam lambd lambda gae_lambda",
    "algorithm.value_clip": "cliprange_value vf_clip clip_value",
    "algorithm.value_aggregation": "critic.loss_agg_mode",
    "algorithm.whiten_rewards": "normalize_reward normalize_rewards reward_whiten",
    "algorithm.whiten_advantages": "normalize_advantages norm_adv",
    "algorithm.max_refills": "filter_groups filter_groups.enable filter_groups.max_num_gen_batches max_num_gen_batches dynamic_filtering "
    "dynamic_sampling",
    "reward": "reward_fn reward_func reward_funcs reward_function reward_manager reward_weights rewards",
    "penalties.overlong.buffer": "overlong_buffer overlong_buffer.len overlong_buffer.enable overlong_buffer_len",
    "penalties.overlong.factor": "overlong_penalty_factor penalty_factor",
    "group_size": "num_generations n rollout.n n_samples_per_prompt num_samples n_samples num_return_sequences num_rollouts rollouts "
    "rollouts_per_prompt group",
    "prompts_per_step": "train_batch_size rollout_batch_size per_device_train_batch_size gen_batch_size generation_batch_size batch_size "
    "global_batch_size batch",
    "batch_size": "train_batch_size per_device_train_batch_size global_batch_size",
    "minibatches": "ppo_mini_batch_size mini_batch_size num_mini_batches num_minibatches steps_per_generation",
    "updates_per_step": "num_iterations ppo_epochs num_ppo_epochs max_epochs",
    "epochs": "num_train_epochs total_epochs num_epochs num_episodes",
    "steps": "max_steps num_steps total_steps total_training_steps num_training_steps training_steps train_steps iterations "
    "num_train_epochs total_epochs num_epochs",
    "temperature": "temp sampling_temperature eval_temperature",
    "max_response_tokens": "max_completion_length max_response_length response_length generate_max_len max_new_tokens max_tokens "
    "max_length max_len max_gen_toks max_output_tokens",
    "max_tokens": "max_length max_seq_length max_seq_len max_model_len max_len max_new_tokens max_completion_length max_response_length "
    "response_length generate_max_len max_gen_toks max_output_tokens max_response_tokens",
    "max_prompt_tokens": "max_prompt_length prompt_max_len prompt_max_length filter_overlong_prompts",
    "adam_betas": "betas adam_beta1 adam_beta2 adam_beta_1 adam_beta_2 beta1 beta2",
    "adam_epsilon": "adam_eps",
    "max_grad_norm": "grad_clip clip_grad clip_grad_norm max_norm gradient_clipping gradient_clip_val",
    "weight_decay": "l2 wd",
    "optimizer": "optim optimizer_type",
    "scoring_deadline": "reward_timeout timeout",
    "checkpoint_every": "save_steps save_freq save_interval save_every checkpoint_interval checkpoint_freq",
    "keep_last": "save_total_limit max_actor_ckpt_to_keep max_ckpt_num max_ckpt_to_keep",
    "keep_best": "load_best_model_at_end metric_for_best_model",
    "asynchronous": "async async_train async_mode",
    "lora.rank": "lora_rank lora_r r",
    "lora.alpha": "lora_alpha",
    "lora.targets": "target_modules lora_target_modules",
    "lora": "peft use_peft",
    "precision": "bf16 fp16 dtype torch_dtype param_dtype mixed_precision",
    "dtype": "precision bf16 fp16 torch_dtype",
    "engine": "use_vllm vllm vllm_mode rollout.name inference_engine",
    "backend": "strategy deepspeed use_deepspeed fsdp",
    "start": "resume_from_checkpoint resume_from_path from_checkpoint base_model load_checkpoint",
    "reference": "ref_model ref_model_path reference_model",
    "data": "dataset dataset_name train_files train_data train_dataset prompt_data",
    "template": "chat_template prompt_template input_template apply_chat_template system_prompt",
    "shortest_first": "curriculum",
    "resources.ray": "use_ray",
    "resources.cluster": "ray_address",
    "resources.threads": "num_threads omp_num_threads cpu_threads",
    "resources.scoring_workers": "reward_workers num_workers dataloader_num_workers",
    "resources.tokens_per_batch": "gradient_accumulation_steps micro_batch_size micro_train_batch_size ppo_micro_batch_size "
    "ppo_micro_batch_size_per_gpu ppo_max_token_len_per_gpu train_max_tokens_per_gpu",
    "resources.tensor_parallel": "tensor_model_parallel_size tensor_parallel_size vllm_tensor_parallel_size tp tp_size",
    "resources.rollout_workers": "vllm_num_engines num_engines",
    "resources.training_workers": "n_gpus_per_node actor_num_gpus_per_node nnodes num_nodes actor_num_nodes num_processes nproc_per_node "
    "world_size num_gpus gpus workers",
    "resources.placement": "colocate_all_models colocate hybrid_engine",
    "resources.zero_stage": "zero",
    "resources.offload": "param_offload optimizer_offload adam_offload offload_optimizer cpu_offload",
    "resources.gradient_checkpointing": "enable_gradient_checkpointing activation_checkpointing",
    "resources.engine_memory": "gpu_memory_utilization vllm_gpu_memory_utilization",
    "resources.base_url": "api_base",
    "resources.concurrency": "num_concurrent max_connections",
    "resources.retries": "max_retries",
    "benchmarks": "tasks benchmark eval_tasks eval_dataset val_files limit",
    "samples": "n num_samples n_samples num_generations n_samples_per_prompt eval_n_samples_per_prompt val_kwargs.n repeats",
    "greedy": "do_sample",
    "stop": "until stop_strings stop_sequences",
    "people": "num_people n_people",
    "numbers": "num_numbers",
    "train": "train_size n_train num_train max_train_samples max_samples",
    "test": "test_size n_test num_test max_eval_samples",
    "dataset": "dataset_name hub_id name",
    "model": "model_name_or_path model_name model.path pretrain base_model actor_rollout_ref.model.path",
    "seed": "random_seed data_seed",
}
# Settings of others that have none here, and what to use.
INSTEAD: dict[str, str] = {
    "top_p top_k min_p repetition_penalty": "training samples from the model's own distribution; there is `temperature`",
    "output_dir save_path default_local_dir ckpt_path": "everything is kept in --workspace",
    "logging_steps": "every step is recorded",
    "report_to logger use_wandb use_tensorboard project_name wandb_project": "MLflow has every run; MLFLOW_TRACKING_URI names its server",
    "eval_steps eval_strategy test_freq eval_freq": "evaluation is a stage of kind eval, which names `checkpoints`",
    "lora_dropout": "adapters have no dropout",
    "base_config base_recipe inherit inherits include": "a recipe builds on another one with `extends: RECIPE`",
}


def _by_name() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, names in SAME.items():
        for name in names.split():
            found.setdefault(name, []).append(path)
    return found


BY_NAME = _by_name()
INSTEAD_OF = {name: text for names, text in INSTEAD.items() for name in names.split()}


def called_here(name: str, model: type[Settings]) -> str | None:
    """The path in a settings class of what another trainer calls `name`, which may be dotted: `actor_rollout_ref.actor.optim.lr`."""
    parts, paths = _plain(name).split("."), by_path(model)
    for start in range(len(parts)):
        for path in BY_NAME.get(".".join(parts[start:]), []):
            if path in paths:
                return path
    return None


def advice_for(name: str) -> str | None:
    """What to use where a setting of another trainer has none here."""
    return INSTEAD_OF.get(_plain(name).rpartition(".")[2])


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").strip("_")
