#!/usr/bin/env python3
"""Write the problems that the smoke profile uses where no data directory is given: `python infra/stand_in_data.py DIR`.

A file for every public set that recipes train on and for every benchmark with published data, in the columns of that set. Every problem is
made up here. `flows/stand_in` in the repository is what this program writes.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]

TRAIN, TEST = 40, 8  # rows of a training set and of a benchmark
LETTERS = "ABCD"


def calculation(number: int) -> tuple[str, str, str]:
    """A problem, its solution with a box, and the answer. Problems this short share no run of eight words: none passes for another."""
    a, b = 3 + number, 2 + 7 * number % 11
    forms = [
        (f"Compute ${a} + {b}$.", f"Adding ${b}$ to ${a}$ gives", str(a + b)),
        (f"Compute ${a} \\cdot {b}$.", f"${b}$ times ${a}$ is", str(a * b)),
        (f"Solve $x - {a} = {b}$ for $x$.", f"Adding ${a}$ on both sides gives", str(a + b)),
        (f"Simplify ${a}x + {b}x$.", "Both terms have the factor $x$, so the sum is", f"{a + b}x"),
        (f"Write ${a} + \\frac{{1}}{{{b}}}$ as one fraction.", f"Over the denominator ${b}$ this is", f"\\frac{{{a * b + 1}}}{{{b}}}"),
    ]
    question, text, answer = forms[number % len(forms)]
    return question, f"{text} $\\boxed{{{answer}}}$.", answer


def whole(number: int) -> tuple[str, int]:
    """A problem whose answer is a whole number below 1,000."""
    a, b = 11 + number, 3 + number % 7
    return f"Find ${a} \\cdot {b} - {a}$.", a * b - a


def story(number: int) -> Row:
    """A row of GSM8K."""
    a, b = 4 + number, 2 + number % 5
    first, second = f"{a}*{b}=<<{a}*{b}={a * b}>>{a * b}", f"{a * b}+{a}=<<{a * b}+{a}={a * b + a}>>{a * b + a}"
    question = f"Mia packs {b} boxes of {a} pens. {a} pens are left. How many are there?"
    return {"question": question, "answer": f"In the boxes are {first} pens.\nTogether there are {second} pens.\n#### {a * b + a}"}


def training(columns: str) -> list[Row]:
    """Rows of a training set of mathematics."""
    rows: list[Row] = []
    for number in range(TRAIN):
        question, solution, answer = calculation(number)
        match columns:
            case "problem":
                rows.append({"problem": question, "level": f"Level {1 + number % 5}", "solution": solution, "answer": answer})
            case "prompt":
                rows.append({"prompt": question, "solution": answer})
            case _:
                rows.append({"extra_info": {"question": question}, "reward_model": {"ground_truth": answer}})
    return rows


def files() -> dict[str, list[Row]]:
    """Rows by file of a data directory."""
    later = range(TRAIN, TRAIN + TEST)  # of numbers that no training problem has
    formulas = [calculation(number) for number in later]
    wholes = [{"problem": question, "answer": answer} for question, answer in map(whole, later)]
    options = [[str(answer + step) for step in range(4)] for _, answer in map(whole, later)]
    found = {f"{name}/train.jsonl": training("problem") for name in ("math_train", "deepscaler", "open_r1", "aime_train")}
    return found | {
        "dapo/train.jsonl": training("prompt"),
        "simplerl_8k/train.jsonl": training("extra_info"),
        "gsm8k/train.jsonl": [story(number) for number in range(TRAIN)],
        "gsm8k/test.jsonl": [story(number) for number in later],
        **{f"{name}/test.jsonl": wholes for name in ("aime24", "aime25", "amc23", "amc83")},
        "math500/test.jsonl": [{"problem": q, "solution": s, "answer": a, "level": 1 + i % 5} for i, (q, s, a) in enumerate(formulas)],
        "minerva_math/test.jsonl": [{"problem": question, "solution": solution} for question, solution, _ in formulas],
        "olympiadbench/test.jsonl": [
            {"question": question, "final_answer": [f"${answer}$"], "subfield": "Algebra"} for question, _, answer in formulas
        ],
        "theoremqa/test.json": [
            {"Question": question, "Answer": answer, "Answer_type": "integer", "Picture": None} for question, answer in map(whole, later)
        ],
        "gpqa_diamond/test.jsonl": [
            {"Question": row["problem"], "Correct Answer": texts[0]}
            | {f"Incorrect Answer {place}": texts[place] for place in (1, 2, 3)}
            | {"Subdomain": "Arithmetic"}
            for row, texts in zip(wholes, options, strict=True)
        ],
        "mmlu_pro/test.parquet": [
            {
                "question_id": place,
                "question": row["problem"],
                "options": texts[place % 4 :] + texts[: place % 4],
                "answer": LETTERS[-place % 4],
                "category": "math",
            }
            for place, (row, texts) in enumerate(zip(wholes, options, strict=True))
        ],
    }


def main(arguments: list[str]) -> int:
    """Write all files below the directory named by the only argument."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    for name, rows in files().items():
        path = Path(arguments[0]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        elif path.suffix == ".json":
            path.write_text(json.dumps(rows, indent=0) + "\n")
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
