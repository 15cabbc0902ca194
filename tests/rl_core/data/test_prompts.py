import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rl_core.data.prompts import DataError, Prompt, read_prompts, write_prompts


def test_round_trip_and_identity(tmp_path) -> None:
    prompts = [Prompt("gsm8k", "1 + 1?", "2"), Prompt("gsm8k", "2 + 2?", "4", "easy", "2 + 2 = 4")]
    assert write_prompts(tmp_path / "p.parquet", prompts) == 2
    assert pq.read_schema(tmp_path / "p.parquet").names == ["prompt_id", "task", "question", "gold", "difficulty", "trace"]
    assert read_prompts(tmp_path / "p.parquet") == prompts
    assert prompts[0].prompt_id == Prompt("gsm8k", "1 + 1?", "3").prompt_id != prompts[1].prompt_id
    more = [*prompts, Prompt("gsm8k", "1 + 1?", "2", domain="sums", messages='[{"role": "user", "content": "Hello"}]', info='{"row": 1}')]
    write_prompts(tmp_path / "p.parquet", more)
    assert read_prompts(tmp_path / "p.parquet") == more
    assert more[2].prompt_id != more[0].prompt_id


@pytest.mark.follows(
    "no such prompt file; run the data stage that makes it",
    "make it again with --force on its data stage",
    "has no {}; remove the row or repair it",
)
def test_errors_name_file_row_and_remedy(tmp_path) -> None:
    path = tmp_path / "p.parquet"
    with pytest.raises(DataError, match=r"p.parquet: no such prompt file; run the data stage"):
        read_prompts(path)
    path.write_bytes(b"garbage")
    with pytest.raises(DataError, match=r"p.parquet: not a readable Parquet file"):
        read_prompts(path)
    pq.write_table(pa.table({"task": ["t"], "question": ["q"]}), path)
    with pytest.raises(DataError, match="column 'gold' is missing"):
        read_prompts(path)
    pq.write_table(pa.table({"task": ["t", "t"], "question": ["q", ""], "gold": ["1", "2"]}), path)
    with pytest.raises(DataError, match="row 2 has no question"):
        read_prompts(path)
    write_prompts(path, [Prompt("t", "q", "1")])  # as the data stage does
    assert len(read_prompts(path)) == 1
