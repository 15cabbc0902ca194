import json

import pytest

from rl_core.data.own.messages import BadChat, read_chat

SYSTEM = {"role": "system", "content": "Be brief."}
ASKED, ANSWERED, AGAIN = ({"role": role, "content": text} for role, text in (("user", "2+2?"), ("assistant", "4"), ("user", " And 3+3? ")))


def test_the_last_question_and_what_comes_before_and_after_it() -> None:
    assert read_chat([ASKED]) == ([], "2+2?", None)
    assert read_chat([SYSTEM, ASKED, ANSWERED]) == ([SYSTEM], "2+2?", "4")
    assert read_chat([SYSTEM, ASKED, ANSWERED, AGAIN]) == ([SYSTEM, ASKED, ANSWERED], "And 3+3?", None)


def test_chats_of_others() -> None:
    sharegpt = [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]
    assert read_chat(sharegpt) == ([SYSTEM], "2+2?", "4")
    assert read_chat(json.dumps(sharegpt)) == read_chat(sharegpt)
    parts = [{"role": "user", "content": [{"type": "text", "text": "2+"}, {"type": "text", "text": "2?"}]}]
    assert read_chat(parts).question == "2+2?"


@pytest.mark.parametrize(
    ("chat", "message"),
    [
        ([SYSTEM], "have none of the user"),
        ([SYSTEM, ANSWERED], "have none of the user"),
        ([], "are no list of messages"),
        (None, "are no list of messages"),
        ("2+2?", "are a text that is not JSON"),
        (["2+2?"], "have an entry '2\\+2\\?' that is no message"),
        ([{"role": "user"}], "without `role` and `content`"),
        ([{"role": "user", "content": None}], "have one without content"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "have content that is no text"),
        ([{"role": "user", "content": " "}], "have an empty one of the user at their end"),
        ([ASKED, {"role": "tool", "content": "4"}], "have one of 'tool'; known are system"),
        ([ASKED, ANSWERED, ANSWERED], "end with assistant, assistant after the user's last one"),
        ([ASKED, SYSTEM], "end with system"),
    ],
)
def test_what_is_no_chat(chat: object, message: str) -> None:
    with pytest.raises(BadChat, match=message):
        read_chat(chat)
