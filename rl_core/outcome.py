"""How an answer was judged. One vocabulary for rewards, rollouts, evaluation and SQL."""

from enum import StrEnum


class Outcome(StrEnum):
    """Verdict on one response."""

    CORRECT = "correct"
    WRONG = "wrong"
    UNPARSEABLE = "unparseable"  # the format holds, the answer cannot be read
    FORMAT_ERROR = "format_error"
    TRUNCATED = "truncated"  # stopped by the token limit without a correct answer
    TIMEOUT = "timeout"  # the verifier missed its deadline
