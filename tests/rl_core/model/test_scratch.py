from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from rl_core.data.knights_knaves import generate
from rl_core.model.scratch import TAGS, train_tokenizer


def test_any_text_survives_and_loading_changes_nothing(tiny_checkpoint) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)

    @given(st.text(max_size=60).map(lambda text: text.replace("\r", "")))
    def round_trip(text: str) -> None:
        import unicodedata

        text = unicodedata.normalize("NFC", text)
        assert tokenizer.decode(tokenizer(text).input_ids) == text

    round_trip()
    prompt = generate(3, 1, "train", 5)[0]
    assert tokenizer.decode(tokenizer(prompt.trace).input_ids) == prompt.trace
    assert all(len(tokenizer(tag).input_ids) == 1 for tag in TAGS)


def test_stock_phrases_are_one_token() -> None:
    texts = [
        f"Step {number}: suppose {name} is a knave; {name} says Jack is a knave (true): true, fits.\n"
        for name in ("Zoey", "Liam")
        for number in (1, 2)
    ]
    tokenizer = train_tokenizer(texts, 400, 128)
    assert [
        tokenizer.decode([token])
        for token in tokenizer("\nStep 2: suppose Liam is a knave; Liam says Jack is a knave (true): true, fits.").input_ids
    ] == [
        "\n",
        "Step 2: suppose",
        " Liam is a knave;",
        " Liam says",
        " Jack is a knave",
        " (true)",
        ": true,",
        " fits.",
    ]
    assert len(tokenizer) <= 400


def test_rare_phrases_are_left_to_the_merges() -> None:
    texts = ["Zoey said that Jack is a knave."] + ["Mia is a knight."] * 99
    tokenizer = train_tokenizer(texts, 400, 128)
    assert len(tokenizer("Mia is a knight").input_ids) == 1
    assert len(tokenizer("Jack is a knave").input_ids) > 3
