"""The random 3.4 M model that benchmarks of training share."""

from pathlib import Path


def make_small_model(directory: Path) -> None:
    """Write it with a tokenizer of Knights and Knaves puzzles; about 1,000 tokens."""
    from rl_core.config.model import ScratchModel
    from rl_core.data.knights_knaves import generate
    from rl_core.model.scratch import make_model, train_tokenizer
    from rl_core.training.checkpoint import save_model

    texts = [text for prompt in generate(3, 400, "train", 0) for text in (prompt.question, prompt.trace or "")]
    config = ScratchModel(hidden_size=256, intermediate_size=704, layers=4, heads=4, key_value_heads=2, vocabulary=1024, context=1024)
    tokenizer = train_tokenizer(texts, config.vocabulary, config.context)
    model = make_model(config, len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id, seed=0)
    save_model(directory, model, tokenizer)
    print(f"model: {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters, vocabulary {len(tokenizer)}", flush=True)
