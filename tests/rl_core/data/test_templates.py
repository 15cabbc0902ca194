import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from rl_core.data.prompts import DataError, Prompt, read_columns
from rl_core.data.templates import TEMPLATES, find_template, render
from rl_core.rewards.components.nano_aha import equation_format
from rl_core.rewards.formats import tags_in_order
from rl_core.rewards.readers import box_or_r1_tags
from rl_core.rollout.engine import Completion
from rl_core.rollout.responses import encode_prompts, response_fields
from rl_core.templates.own import OwnTemplate

QUESTION = r"What is $\frac{1}{2} + {x}$?"  # braces that are no placeholders
RAW = [name for name, template in TEMPLATES.items() if template.raw]


@pytest.fixture(scope="module")
def chat(tiny_checkpoint: Path) -> Any:
    """A tokenizer with ChatML."""
    return AutoTokenizer.from_pretrained(tiny_checkpoint)


def problem(question: str, *messages: tuple[str, str]) -> Prompt:
    earlier = [{"role": role, "content": content} for role, content in messages]
    return Prompt("math", question, "1", messages=json.dumps(earlier) if earlier else None)


def base_tokenizer(*, begins: bool) -> Any:
    """A tokenizer without chat template; `begins`: it puts <s> before every text, as Llama's does."""
    words = Tokenizer(WordLevel({"<s>": 0, "</s>": 1, "<unk>": 2, "Question": 3, ":": 4}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    if begins:
        words.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_question_stands_once_and_whole(name: str, chat: Any) -> None:
    text = render(find_template(name), problem(QUESTION), chat)
    assert text.count(QUESTION) == 1
    assert text.endswith(find_template(name).prefill)
    assert "{question}" not in text
    assert "{{" not in text
    assert ("<|im_start|>" in text) is (name not in RAW)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        # With Qwen's markup: the prompts as the projects write them by hand.
        (
            "boxed",
            "<|im_start|>system\nPlease reason step by step, and put your final answer within \\boxed{}.<|im_end|>\n"
            "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n",
        ),
        (
            "qwen_boxed",
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n1+1?\nPlease reason step by step, and put your "
            "final answer within \\boxed{}.<|im_end|>\n<|im_start|>assistant\n",
        ),
        ("abel", "Question:\n1+1?\nAnswer:\nLet's think step by step.\n"),
        (
            "deepscaler",
            "<|im_start|>user\n1+1? Let's think step by step and output the final answer within \\boxed{}.<|im_end|>\n"
            "<|im_start|>assistant\n",
        ),
    ],
)
def test_whole_prompts(name: str, text: str, chat: Any) -> None:
    assert render(find_template(name), problem("1+1?"), chat) == text


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("r1", "<answer> answer here </answer>.\nUser: 1+1?\nAssistant: <think>"),
        ("tinyzero", "for example <answer> (1 + 2) / 3 </answer>.\nAssistant: Let me solve this step by step.\n<think>"),
        ("logic_rl_base", "(2) Oliver is a knight\n(3)... </answer>.\n\nUser:1+1?\nAssistant: <think>"),
        ("logic_rl_instruct", "(2) ... </answer>.\n<|im_end|>\n<|im_start|>user\n1+1?\n<|im_end|>\n<|im_start|>assistant\n<think>"),
        ("nano_aha", "<|im_end|>\n<|im_start|>assistant\nLet me solve this step by step.\n<think>"),
        ("dapo", '\n\n1+1?\n\nRemember to put your answer on its own line after "Answer:".<|im_end|>\n<|im_start|>assistant\n'),
        (
            "open_r1",
            "<think>\n...\n</think>\n<answer>\n...\n</answer><|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n",
        ),
        ("unsloth", "\n</reasoning>\n<answer>\n...\n</answer>\n<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n"),
    ],
)
def test_endings(name: str, ending: str, chat: Any) -> None:
    assert render(find_template(name), problem("1+1?"), chat).endswith(ending)


def test_logic_rls_prompt_is_the_one_in_its_data(chat: Any, data_dir: Path) -> None:
    row = read_columns(data_dir / "kk" / "3ppl" / "train.parquet", ["quiz", "prompt"])[0]
    assert render(find_template("logic_rl_instruct"), problem(row["quiz"]), chat) == row["prompt"][0]["content"]


@pytest.mark.parametrize("name", RAW)
def test_a_raw_prompt_needs_no_chat_template(name: str, chat: Any) -> None:
    assert render(find_template(name), problem(QUESTION), base_tokenizer(begins=False)) == render(
        find_template(name), problem(QUESTION), chat
    )


def test_other_prompts_need_one() -> None:
    with pytest.raises(DataError, match="no chat template, which template 'dapo' needs"):
        render(find_template("dapo"), problem(QUESTION), base_tokenizer(begins=False))


def test_a_raw_prompt_begins_as_the_tokenizer_begins_texts() -> None:
    tokenizer = base_tokenizer(begins=True)
    [encoded] = encode_prompts([Prompt("math", "Question", "1")], find_template("abel"), tokenizer)
    assert encoded.text == "<s>Question:\nQuestion\nAnswer:\nLet's think step by step.\n"
    assert encoded.token_ids == tokenizer(encoded.text.removeprefix("<s>")).input_ids  # once
    assert encoded.token_ids[:4] == [0, 3, 4, 3]


def test_the_prefill_is_part_of_the_response_alone(chat: Any) -> None:
    [encoded] = encode_prompts([Prompt("countdown", QUESTION, "{}")], find_template("tinyzero"), chat)
    assert encoded.text.endswith("\nAssistant: ")
    assert chat.decode(encoded.token_ids) == encoded.text + "Let me solve this step by step.\n<think>"


def test_what_a_model_adds_to_the_prefill_has_the_format_that_is_asked_for() -> None:
    assert tags_in_order(find_template("logic_rl_instruct").prefill + "a</think><answer>(1) Zoey is a knave</answer>")
    assert equation_format(find_template("nano_aha").prefill + "a</think>\n<answer>1 + 2</answer>") == 1.0
    assert box_or_r1_tags(find_template("r1").prefill + "a </think> <answer> 3 </answer>") == "3"


@pytest.mark.follows("(or give one of your own: user, system, prefill)")
def test_an_unknown_template_is_named_with_its_nearest() -> None:
    with pytest.raises(DataError, match="unknown template 'qwen-boxed'; did you mean 'qwen_boxed'"):
        find_template("qwen-boxed")
    assert find_template(OwnTemplate(user="{question}!", system="Think.", prefill="So")).prefill == "So"


def test_messages_come_before_the_question_and_their_system_message_counts(chat: Any) -> None:
    assert render(find_template("qwen_boxed"), problem("And 2+2?", ("user", "1+1?"), ("assistant", "2")), chat) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n"
        "<|im_start|>user\nAnd 2+2?\nPlease reason step by step, and put your final answer within \\boxed{}.<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert render(find_template("qwen_boxed"), problem("1+1?", ("system", "Be brief.")), chat).startswith(
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1+1?"
    )


@pytest.mark.follows("no place for them; name a template of a chat")
def test_a_raw_template_has_no_place_for_messages(chat: Any) -> None:
    asked = problem("1+1?", ("system", "Be brief."))
    with pytest.raises(DataError, match="the data has messages before the question, and a raw template has no place for them"):
        render(find_template("abel"), asked, chat)
    assert "Be brief." in render(find_template("plain"), asked, chat)


def test_braces_of_a_template_of_ones_own_stand_for_themselves(chat: Any) -> None:
    own = OwnTemplate(system="Give \\boxed{}.", user="{question}\nEnd with \\boxed{your answer}, never {{}}.", prefill="<thought>")
    assert render(find_template(own), problem("Is {x} 1?"), chat) == (
        "<|im_start|>system\nGive \\boxed{}.<|im_end|>\n<|im_start|>user\nIs {x} 1?\nEnd with \\boxed{your answer}, never {{}}.<|im_end|>\n"
        "<|im_start|>assistant\n<thought>"
    )


def test_templates_of_ones_own_are_told_apart() -> None:
    own = OwnTemplate(user="{question}")
    assert find_template(own).name.startswith("own-")
    assert find_template(own).name != find_template(own.model_copy(update={"prefill": "So"})).name
    assert find_template(own.model_copy(update={"name": "mine"})).name == "mine"
    assert find_template("boxed").identity() == {
        "name": "boxed",
        "user": "{question}",
        "system": "Please reason step by step, and put your final answer within \\boxed{}.",
        "prefill": "",
        "raw": False,
    }  # as cells of finished evaluations have it


def test_marks_of_thinking_of_ones_own(chat: Any) -> None:
    template = find_template(OwnTemplate(prefill="<|begin|>", think=("<|begin|>", "<|end|>")))
    response = "<|begin|>1 + 1<|end|><answer>2</answer>"
    [encoded] = encode_prompts([problem("1+1?")], template, chat)
    fields = response_fields(encoded, 0, response, Completion([1], [0.0], "stop"), 1.0, chat)
    assert response[fields["think_start"] : fields["think_end"]] == "1 + 1"
    assert response[fields["answer_start"] : fields["answer_end"]] == "2"
    assert template.as_judged(response) == "<think>1 + 1</think><answer>2</answer>"
    assert tags_in_order(template.as_judged(response))
    assert find_template("boxed").as_judged(response) == response
