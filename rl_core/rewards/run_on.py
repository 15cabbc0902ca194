"""Where a response ends and a next question begins: base models go on after their answer with a problem of their own.

Everything here takes time linear in the length of the response.
"""

import re
from itertools import pairwise

from rl_core.rewards.spans import find_spans

# "Question:", "**Problem 2.**", "### Instruction", "Human:" at the head of a line.
_ADJECTIVE = r"(?:next|new|another|follow-?up|related|similar|practice|math|word|test|bonus|the|a)[ \t]+"
_LABEL = r"(?:question|problem|exercise|task|puzzle|query|q|human|user|student|instructions?|input|prompt|system|example)"
_NUMBER = r"(?:[ \t]*(?:no\.|number|\#)?[ \t]*[0-9]{1,4})?"
_HEAD = rf"(?:{_ADJECTIVE}){{0,2}}{_LABEL}{_NUMBER}"
# What chat templates put between turns, wherever it stands.
_TURN = (
    r"<[|\uff5c](?:im_start|im_end|endoftext|end_of_text|begin_of_text|eot_id|eom_id|start_header_id|user|system|end|"
    r"end\u2581of\u2581sentence)[|\uff5c]>|</?s>|\[INST\]|<(?:start_of_turn|end_of_turn|eos|bos)>|<(?:question|problem|user|human|instruction)>"
)
_LINE = rf"[*_>(\[]{{0,3}}{_HEAD}[ \t]*[*_)\]]{{0,3}}[:.)]"
_TITLE = rf"\#{{1,6}}[ \t]*[*_]{{0,3}}{_HEAD}[*_]{{0,3}}[ \t]*(?:[:.]|$)"
# "Given the following question, ...", and labels in Chinese.
_ASKING = (
    r"(?:(?:given|solve|answer|consider)[ \t]+(?:the[ \t]+)?(?:following|next|another)|"
    r"here[ \t]+(?:is|are)[ \t]+(?:another|the[ \t]+next|more))[ \t]+(?:\w+[ \t]+)?(?:question|problem|exercise)s?\b|"
    r"(?:\u95ee\u9898|\u9898\u76ee|\u7528\u6237)[ \t]*[0-9]*[:\uff1a]"
)
_NEXT = re.compile(rf"(?aim)^[ \t]*(?:{_LINE}|{_TITLE}|{_ASKING})|{_TURN}")
# An answer that is marked as one.
_ANSWERED = re.compile(
    r"\\(?:boxed|fbox)\s*\{\s*[^\s{}]|####[ \t]*[^\s#]|<answer>\s*[^\s<]"
    r"|\b(?ai:answer(?:\s+is\b|\s*:))[^\w\n]{0,12}(?:[0-9]|[A-J]\b)"
)
_HASHES = re.compile(r"(?m)^.*####[ \t]*[^\s#][^\n]*$")
_CORRECTION = re.compile(
    r"(?ai)\b(?:wait|hold on|actually|mistakes?|errors?|wrong|incorrect|correct(?:ed|ion)?|check|verify|sorry|oops|hmm|re-?\w*calculate|"
    r"let me|let's|however|but|no|instead|alternatively|thus|so|hence|therefore)\b"
)


def own_answer(response: str) -> str:
    """The response without a next question that it goes on with after a marked answer (a box, `####`, answer tags, "the answer is").

    A next question is a line that begins with `Question:`, `Problem 2.`, `### Instruction`, `Human:` and the like, or a mark of a chat
    template. After `#### 24` a new paragraph that asks something and is answered by another `####` is one, too, unless it corrects what
    was said. What stands inside of the thinking is no question, and nothing is cut off before there is an answer.
    """
    thinking = find_spans(response).think
    if thinking is None or thinking[1] == len(response):
        return _cut(response, 0, len(response))
    before = _cut(response, 0, thinking[0])
    return before if len(before) < thinking[0] else _cut(response, thinking[1], len(response))


def _cut(response: str, start: int, end: int) -> str:
    """The response up to a next question between `start` and `end`; up to `end` where there is none."""
    answered = _ANSWERED.search(response, start, end)
    if answered is None:
        return response[:end]
    if question := _NEXT.search(response, answered.end(), end):
        end = question.start()
    for line, following in pairwise(_HASHES.finditer(response, start, end)):
        between = response[line.end() : following.start()]
        asks = between.find("?")
        if asks >= 0 and between.lstrip()[:1].isupper() and not _CORRECTION.search(between, 0, asks):
            return response[: line.end()]
    return response[:end]
