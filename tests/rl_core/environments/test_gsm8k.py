import pytest

from rl_core.data.prompts import DataError
from rl_core.environments import gsm8k


def write(tmp_path, text: str):
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.jsonl").write_text(text)
    return tmp_path


def test_gold_is_the_number_after_the_mark(tmp_path) -> None:
    rows = '{"question": "How many?", "answer": "a lot <<1+1=2>>2\\n#### 1,200"}\n'
    [prompt] = gsm8k.load("test", write(tmp_path, rows))
    assert (prompt.question, prompt.gold) == ("How many?", "1200")
    assert prompt.trace is not None
    assert prompt.trace.endswith("\\boxed{1200}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json\n", r"test.jsonl: row 1 is not JSON"),
        ('{"question": "q"}\n', r"test.jsonl: row 1 lacks the texts"),
        ('{"question": "q", "answer": "1 #### 1"}\n{"question": "q", "answer": "none"}\n', r"row 2 has no gold number"),
        ('{"question": "q", "answer": "1 #### NaN"}\n', r"row 1 has no gold number"),
    ],
)
@pytest.mark.follows(
    "lacks the texts `question` and `answer`; repair or remove it",
    "has no gold number after `####`; repair or remove it",
)
def test_broken_rows_are_named(tmp_path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        gsm8k.load("test", write(tmp_path, text))
    (tmp_path / "gsm8k" / "test.jsonl").write_text('{"question": "q", "answer": "1 #### 1"}\n')
    assert len(gsm8k.load("test", tmp_path)) == 1


@pytest.mark.follows("put the GSM8K {} split there or leave out --data-dir")
def test_missing_file_names_the_remedy(tmp_path) -> None:
    with pytest.raises(DataError, match=r"test.jsonl: no such file; put the GSM8K test split there"):
        gsm8k.load("test", tmp_path)
    assert len(gsm8k.load("test", write(tmp_path, '{"question": "q", "answer": "1 #### 1"}\n'))) == 1


def test_real_rows(data_dir) -> None:
    assert len(gsm8k.load("test", data_dir)) == 1319
