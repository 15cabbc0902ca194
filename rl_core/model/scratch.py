"""A small Qwen2 model with a tokenizer of its own, for pipelines that start without pretrained weights."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rl_core.config.model import ScratchModel

if TYPE_CHECKING:
    from transformers import Qwen2ForCausalLM, Qwen2Tokenizer

# Atomic but not special, so that decoding keeps them: verifiers and analytics look for the tags in the text.
TAGS = ["<think>", "</think>", "<answer>", "</answer>"]
ROLES = ["system\n", "user\n", "assistant\n"]  # headers of the chat template below
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Stock phrases, each one token where it is common: a response then takes a third of the steps to generate, and a fact such as
# " Zoey is a knight;" stands in one place, where one attention step finds it.
CONJUNCTION = r"(?:and|or|if|then|that|implies|equals)\b"
PHRASE = re.compile(
    "|".join(
        [
            *TAGS,
            rf" ?[A-Z][a-z]+(?: (?!{CONJUNCTION})[a-z]+)+;?",  # a clause: a name and what is said of it
            r"\n?[A-Z][a-z]+ \d+: [a-z]+",  # a numbered heading
            r" \([a-z]+\)",
            r"\n?\(\d\)",
            r"[:,]?(?: [a-z]+)+[,.]?",
        ]
    )
)
COMMON = 0.02  # occurrences per text from which a phrase is a token; rarer ones are left to the byte-pair merges


def plain_tokenizer() -> Qwen2Tokenizer:
    """Qwen2's, with ChatML and without a vocabulary."""
    from transformers import Qwen2Tokenizer

    tokenizer = Qwen2Tokenizer(eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=["<|im_start|>"])
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def train_tokenizer(texts: Sequence[str], vocabulary: int, context: int) -> Qwen2Tokenizer:
    """Byte-level BPE in Qwen2's form, with ChatML, over `texts`; any text can be encoded.

    At most half of the vocabulary goes to stock phrases. They are added tokens, because loading a Qwen2 tokenizer always restores Qwen2's
    own splitting of words.
    """
    from transformers import AddedToken

    phrases = Counter(phrase for text in texts for phrase in PHRASE.findall(text))
    common = [phrase for phrase, count in sorted(phrases.items(), key=lambda item: (-item[1], item[0])) if count >= COMMON * len(texts)]
    added = [*TAGS, *ROLES, *(phrase for phrase in common if phrase not in TAGS)][: vocabulary // 2]
    base = plain_tokenizer()
    # Merges are learned from what the added tokens leave over: names, above all.
    rest = re.compile("|".join(re.escape(text) for text in sorted(added, key=len, reverse=True)))
    pieces = (rest.split(text) for text in texts)
    tokenizer: Qwen2Tokenizer = base.train_new_from_iterator(pieces, vocabulary - len(added), show_progress=False)
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in added])
    tokenizer.chat_template = base.chat_template
    tokenizer.model_max_length = context
    return tokenizer


def make_model(config: ScratchModel, vocabulary: int, eos: int, pad: int, seed: int) -> Qwen2ForCausalLM:
    """Random weights from `seed`, float32."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=vocabulary,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.key_value_heads,
            max_position_embeddings=config.context,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=eos,
            pad_token_id=pad,
        )
    )
