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
    "algorithm.compare_rewards": "multi_objective_aggregation gdpo",
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
    "resources.gradient_checkpointing": "gradient_checkpointing enable_gradient_checkpointing activation_checkpointing",
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
    "top_p top_k min_p repetition_penalty generation_kwargs cache_implementation": "training samples from the model's own distribution; "
    "there is `temperature`",
    "output_dir save_path default_local_dir ckpt_path run_name experiment_name": "everything is kept in --workspace, under the recipe's "
    "name",
    "logging_steps logging_strategy logging_first_step logging_nan_inf_filter log_on_each_node include_num_input_tokens_seen": "every step "
    "is recorded",
    "log_completions num_completions_to_print log_unique_prompts log_multimodal log_completions_hub_repo rollout_data_dir "
    "log_val_generations include_for_metrics": "every response is kept, for SQL and the report",
    "log_level log_level_replica disable_tqdm debug skip_memory_metrics": "a stage's output is in its log.txt, memory in its metrics",
    "report_to logger use_wandb use_tensorboard project_name wandb_project": "MLflow has every run; MLFLOW_TRACKING_URI names its server",
    "eval_steps eval_strategy test_freq eval_freq": "evaluation is a stage of kind eval, which names `checkpoints`",
    "num_generations_eval per_device_eval_batch_size eval_on_start eval_delay val_before_train do_eval do_predict prediction_loss_only "
    "eval_do_concat_batches eval_use_gather_object eval_accumulation_steps batch_eval_metrics label_names bf16_full_eval "
    "fp16_full_eval": "evaluation is a stage of kind eval, with samples, tokens and an engine of its own",
    "lora_dropout disable_dropout dropout": "nothing is dropped out in training",
    "optim optimizer_type optim_args optim_target_modules lr_scheduler_kwargs": "the optimizer is AdamW; there are `learning_rate`, "
    "`adam_betas`, `adam_epsilon` and `weight_decay`",
    "save_strategy save_only_model save_on_each_node enable_jit_checkpoint restore_callback_states_from_checkpoint": "there are "
    "`checkpoint_every` and `keep_last`; a checkpoint has all that a run goes on from",
    "greater_is_better": "`keep_best` keeps the highest",
    "ignore_data_skip full_determinism": "a run that is resumed sees the same prompts and the same random numbers",
    "push_to_hub hub_token hub_private_repo hub_model_id hub_strategy hub_always_push hub_revision": "`push` uploads a checkpoint",
    "project trackio_space_id trackio_bucket_id trackio_static_space_id": "MLflow has every run; MLFLOW_TRACKING_URI names its server",
    "use_cpu local_rank no_cuda accelerator_config parallelism_config ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers "
    "ddp_static_graph ddp_backend ddp_timeout fsdp_config ds3_gather_for_generation fsdp_size model_parallel_size sequence_parallel_size "
    "ulysses_sequence_parallel_size average_tokens_across_devices": "workers find the devices; there are `resources.training_workers` and "
    "`backend: deepspeed` with `resources.zero_stage`",
    "auto_find_batch_size use_dynamic_bsz torch_empty_cache_steps pad_to_multiple_of use_remove_padding": "batches are packed up to "
    "`resources.tokens_per_batch`",
    "gradient_checkpointing_kwargs": "there is `resources.gradient_checkpointing`",
    "torch_compile torch_compile_backend torch_compile_mode use_torch_compile enforce_eager use_liger_kernel liger_kernel_config "
    "tf32 use_cache attn_implementation use_fused_kernels": "kernels are chosen where a stage runs",
    "model_init_kwargs trust_remote_code": "models are those of transformers, without code of their own",
    "cast_lm_head_to_fp32": "there is `precision: float32`",
    "vllm_server_base_url vllm_server_host vllm_server_port vllm_server_timeout vllm_group_port": "engines are workers of the stage: "
    "`resources.rollout_workers`, with `resources.placement: separate` on devices of their own",
    "vllm_enable_sleep_mode free_cache_engine": "engines beside trainers give way while the policy trains",
    "vllm_model_impl": "vLLM chooses",
    "vllm_max_model_length max_num_batched_tokens max_num_seqs": "an engine takes what the longest prompt and response need",
    "shuffle_dataset shuffle dataloader_drop_last train_sampling_strategy length_column_name remove_unused_columns": "every epoch draws "
    "all prompts once, in random order",
    "dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor dataloader_multiprocessing_context "
    "dataloader_in_order": "prompts are in memory",
    "do_train": "what a recipe's stages are for",
    "mask_truncated_completions overlong_filtering": "there is `penalties.overlong`; truncated responses are not masked",
    "chat_template_kwargs": "a template of your own: `template: {system: …, user: …}`",
    "vllm_importance_sampling_clip_min": "there are `algorithm.mismatch` and `algorithm.importance_cap`",
    "norm_adv_by_std": "there is `algorithm.advantage`: group_normalized or group_centered",
    "reward_model custom_reward_function custom_reward_function.path custom_reward_function.name": "`reward` takes functions of your own: "
    '{"my_rewards.py:NAME": 1}',
    "base_config base_recipe inherit inherits include": "a recipe builds on another one with `extends: RECIPE`",
}


# Settings of others for which there is nothing here.
MISSING = (
    "router_aux_loss_coef label_smoothing_factor neftune_noise_alpha vllm_structured_outputs_regex sapo_temperature_neg "
    "sapo_temperature_pos vespo_k_pos vespo_lambda_pos vespo_k_neg vespo_lambda_neg sync_ref_model ref_model_mixup_alpha "
    "ref_model_sync_steps top_entropy_quantile use_adaptive_entropy entropy_coef_min entropy_coef_max entropy_coef_delta entropy_target "
    "max_tool_calling_iterations off_policy_mask_threshold use_bias_correction_kl use_transformers_continuous_batching "
    "transformers_continuous_batching_config use_transformers_paged clip_cov_ratio clip_cov_lb clip_cov_ub kl_cov_ratio multi_turn"
)
NOTHING = "there is nothing like it here; remove it"


def _by_name() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, names in SAME.items():
        for name in names.split():
            found.setdefault(name, []).append(path)
    return found


BY_NAME = _by_name()
INSTEAD_OF = {name: text for names, text in INSTEAD.items() for name in names.split()} | dict.fromkeys(MISSING.split(), NOTHING)


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
    parts = _plain(name).split(".")
    return next((text for start in range(len(parts)) if (text := INSTEAD_OF.get(".".join(parts[start:])))), None)


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").strip("_")
