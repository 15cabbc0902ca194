"""What a file does not say is unknown everywhere: null in tables and views, no figure, `unknown` on the page."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evals.analytics import query
from evals.analytics.figures import draw
from flows.analysis.external import analyze
from flows.cli import main


def analysis(folder: Path, rows: list[dict[str, Any]], *, correct_from: float | None = None, name: str = "rows.jsonl") -> tuple[Path, str]:
    """Database and text of the page of an analysis of these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    page, _ = analyze([folder / name], folder / "out", think_tags=None, mapping=[], correct_from=correct_from, keywords=None)
    text = re.sub(r"<(style|script)\b.*?</\1>|<img[^>]*>|<[^>]+>", " ", page.read_text(), flags=re.DOTALL)
    return folder / "out" / "analysis.duckdb", " ".join(html.unescape(text).split())


@pytest.fixture(scope="module")
def minimal(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    rows = [{"prompt": "1+1?", "response": "<think>1 + 1 = 2. Wait, 2.</think> 2"}, {"prompt": "2+2?", "response": "4"}]
    return analysis(tmp_path_factory.mktemp("minimal"), rows)


# Columns of tables and views that prompt and response alone do not give.
NEEDS_MORE = {
    "rollouts": (
        "step difficulty prompt_tokens response_tokens think_tokens answer_tokens finish_reason outcome extracted temperature "
        "policy_version reward advantage logprob reflection_effect answer_leaked environment_output"
    ),
    "prompts": "gold difficulty",
    "groups": "step solved reward_spread distinct_answers",
    "family_counts": "step outcome tokens",
    "stages": "steps steps_before seconds devices",
    "reward_by_step": "step total_step reward reward_std correct",
    "groups_by_step": "step all_correct none_correct informative distinct_answers",
    "length_by_step": (
        "step response_tokens think_tokens answer_tokens response_tokens_p90 response_tokens_correct response_tokens_not_correct at_limit"
    ),
    "errors_by_step": "step correct wrong unparseable format_error truncated timeout",
    "keywords_by_step": "step step_wise_per_1000_tokens reflection_per_1000_tokens",
    "keyword_use": "step correct",
    "families_by_step": "step per_1000_tokens",
    "families_by_outcome": "outcome per_1000_tokens",
    "families_by_difficulty": "difficulty of_the_right of_the_others per_1000_tokens",
    "reflection_effects": "helps harms nothing no_candidate",
    "degeneration_by_step": "step no_end answer_leaked",
    "cost": "steps prompt_tokens response_tokens seconds devices device_hours",
}
EMPTY = ("collapse", "collapse_by_step", "reflection_onset", "reward_components", "solve_history", "scores", "metrics", "runs")


@pytest.mark.parametrize("relation", NEEDS_MORE)
def test_prompt_and_response_alone_leave_the_rest_null(minimal: tuple[Path, str], relation: str) -> None:
    found = query.run(minimal[0], f"FROM {relation}").to_pylist()
    assert found
    for row in found:
        assert {name: row[name] for name in NEEDS_MORE[relation].split()} == dict.fromkeys(NEEDS_MORE[relation].split()), row


@pytest.mark.follows("r1flow sql --database {} @queries")
def test_the_command_on_the_page_lists_the_saved_queries(minimal: tuple[Path, str]) -> None:
    (advised,) = re.findall(r"r1flow (sql --database \S+ @queries)", minimal[1])
    answer = CliRunner().invoke(main, advised.split())
    assert answer.exit_code == 0, answer.output
    assert "@words" in answer.stdout


def test_no_row_is_made_up(minimal: tuple[Path, str]) -> None:
    for relation in EMPTY:
        assert query.run(minimal[0], f"FROM {relation}").num_rows == 0, relation


def test_the_page_says_unknown_and_claims_nothing(minimal: tuple[Path, str]) -> None:
    database, page = minimal
    assert "Unknown whether the answer is right (all 2 responses), the reward (all 2 responses), whether the response ended" in page
    assert "all responses: their steps are unknown unknown unknown unknown unknown unknown" in page  # reward and the shares of outcomes
    for claim in (
        "collapsed",
        "Training reward",
        "Wrong answers",
        "token limit:",
        "carried a gradient",
        "never solved ·",
        "✗",
        "✓",
        "noise",
    ):
        assert claim not in page.replace("“Noise”", ""), claim
    assert "? verdict unknown" in page
    with query.connect(database) as connection:
        assert [figure.name for figure in draw(connection)] == []  # no step, no outcome: nothing to draw over


@pytest.mark.slow
def test_a_known_part_is_not_spread_over_the_rest(tmp_path: Path) -> None:
    rows = [
        {"step": 1, "prompt": "q", "response": "a b", "reward": 1.0, "finish_reason": "stop", "response_tokens": 2},
        {"step": 1, "prompt": "q", "response": "b c", "reward": 0.0},
        {"step": 1, "prompt": "r", "response": "c d"},
    ]
    database, page = analysis(tmp_path, rows, correct_from=1.0)
    (errors,) = query.run(database, "FROM errors_by_step").to_pylist()
    assert (errors["correct"], errors["wrong"]) == (0.5, 0.5)
    assert (errors["truncated"], errors["format_error"]) == (None, None)
    (reward,) = query.run(database, "FROM reward_by_step").to_pylist()
    assert (reward["reward"], reward["responses"]) == (0.5, 3)
    assert query.run(database, "SELECT solved, reward_spread FROM groups ORDER BY prompt_id").to_pylist() in (
        [{"solved": 0.5, "reward_spread": 1.0}, {"solved": None, "reward_spread": None}],
        [{"solved": None, "reward_spread": None}, {"solved": 0.5, "reward_spread": 1.0}],
    )
    assert query.run(database, "SELECT response_tokens FROM cost").to_pylist() == [{"response_tokens": None}]
    assert "the reward (1 of 3 responses)" in page


@pytest.mark.slow
def test_the_remedies_that_the_page_names_work(tmp_path: Path) -> None:
    row = {"prompt": "q", "response": "a", "n": 3, "end": "length", "ok": True, "points": 0.5, "at": 4}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    remedies = {"correct": "ok", "reward": "points", "finish_reason": "end", "response_tokens": "n", "step": "at"}
    for known in (0, len(remedies)):
        mapping = [f"{role}={column}" for role, column in list(remedies.items())[:known]]
        page, _ = analyze([tmp_path / "rows.jsonl"], tmp_path / "out", think_tags=None, mapping=mapping, correct_from=None, keywords=None)
        for role in remedies:
            assert (f"--map {role}=COLUMN" in page.read_text()) is (known == 0), role
    found = query.run(tmp_path / "out" / "analysis.duckdb", "SELECT outcome, reward, finish_reason, response_tokens, step FROM rollouts")
    assert found.to_pylist() == [{"outcome": "correct", "reward": 0.5, "finish_reason": "length", "response_tokens": 3, "step": 4}]


def test_evaluations_without_a_verdict_have_no_score(tmp_path: Path) -> None:
    row = {"doc_id": 0, "doc": {}, "target": "2", "arguments": [["q", {}]], "resps": [["r"]], "metrics": ["mae"], "mae": 137.5}
    database, page = analysis(tmp_path, [row], name="samples_melting.jsonl")
    (sample,) = query.run(database, "SELECT correct, outcome, seed, temperature, mode, finish_reason FROM eval_samples").to_pylist()
    assert sample == {"correct": None, "outcome": None, "seed": None, "temperature": None, "mode": "unknown", "finish_reason": None}
    assert query.run(database, "FROM scores").num_rows == 0
    assert query.run(database, "SELECT correct, wrong FROM errors_by_checkpoint").to_pylist() == [{"correct": None, "wrong": None}]
    assert "Scores are unknown: the responses have no verdicts." in page


def test_one_benchmark_with_and_one_without_verdicts(tmp_path: Path) -> None:
    row = {"doc_id": 0, "doc": {}, "target": "2", "arguments": [["q", {}]], "resps": [["r"]]}
    for task, metric in (("sums", {"metrics": ["exact_match"], "exact_match": 0.0}), ("melting", {"metrics": ["mae"], "mae": 137.5})):
        (tmp_path / f"samples_{task}.jsonl").write_text(json.dumps(row | metric))
    files = [tmp_path / "samples_sums.jsonl", tmp_path / "samples_melting.jsonl"]
    page, _ = analyze(files, tmp_path / "out", think_tags=None, mapping=[], correct_from=None, keywords=None)
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.read_text())).split())
    assert "not in these files unknown for 1 of 2 responses: whether they are right" in text  # `--map` would be refused
    assert "1 responses, 0 with a verdict unknown unknown" in text
    assert query.run(tmp_path / "out" / "analysis.duckdb", "SELECT benchmark, value FROM scores").to_pylist() == [
        {"benchmark": "sums", "value": 0.0}
    ]


@pytest.mark.slow
@pytest.mark.parametrize("text", ["#" * 240, "答案是答案是" * 60, " ".join(f"Step {number}: wait." for number in range(80))])
@pytest.mark.parametrize("known", ["ending", "verdict", "nothing"])
def test_a_collapse_into_any_loop_is_found(tmp_path: Path, text: str, known: str) -> None:
    rows = []
    for step in range(1, 21):
        lost = step >= 12
        for sample in range(4):
            row = {"step": step, "prompt": "3+4?", "response": text if lost else f"Three and four make {7 + sample % 2}, as we see."}
            if known == "ending":
                row["finish_reason"] = "length" if lost else "stop"
            elif known == "verdict":
                row["reward"] = 0.0 if lost else 1.0 - sample % 2
            rows.append(row)
    database, page = analysis(tmp_path, rows, correct_from=1.0)
    assert query.run(database, "SELECT onset FROM collapse").to_pylist() == [{"onset": 12}]
    assert ("unknown 0.0 → 100.0" in page) is (known == "ending")  # cut at the limit
    rose = {"ending": "responses without an end token and repetition", "verdict": "repetition and errors", "nothing": "repetition"}
    assert f"collapsed at step 12: {rose[known]} rose" in page
