r"""Who is a knight and who a knave, as an answer states it.

The whole answer must be statements: `Mia is a knave`, `Theo and Nora are knights`, `Mia: knave`, `Knights: Theo, Nora`, rows of a table, in
any layout of Markdown or LaTeX. A word that has no place in one (not, if, either, or, says, a name that nobody has) and a person without a
role or with two leave the answer without a meaning. Takes time linear in the length of the answer.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

LONGEST = 4000  # characters; eight people in a table take 300
_RULE = re.compile(r"(?m)^[ \t]*\|?[ \t]*:?-{2,}[\s|:-]*?$")  # the line below the head of a table
_EDGE = re.compile(r"(?m)^[ \t]*\||\|[ \t]*$")  # of a table's row
# Layout carries no meaning. Case is ignored in ASCII only: otherwise the Kelvin sign passes for a k and the long s for an s.
_LAYOUT = re.compile(
    r"[ \t\r\f\v*_`${}()\[\]#\u00a0]|&(?=\s*[:=])|(?<=[^\W_])~"
    r"|\\(?:text(?:bf|it|rm|sf|tt)?|math(?:rm|bf|it|sf)|boxed|emph|quad|qquad)(?![A-Za-z])"
    r"|\\[,;:!()\[\] ]|\\(?:begin|end)\{[a-z*]+\}|</?(?:b|i|strong|em|ul|ol|p)>"
)
_QUOTED = re.compile(r"""(?ai)["'\u201c\u2018](?P<word>[^"'\u201d\u2019\n]{1,60})["'\u201d\u2019]""")
_ARTICLE = re.compile(r"(?ai:a|the(?:\s+only)?)\b(?=[ \t*_]*(?ai:knight|knave))")
_WORDS = (
    ("break", re.compile(r"\n|[;.]|!(?=\s|$)|\\\\|\\item(?![A-Za-z])|</?(?:br|li) ?/?>")),
    ("is", re.compile(r"(?ai:->|=>|\\(?:right|Right)?arrow\b|\\to\b|is\b|are\b)|[:=\u2192\u21d2\u2013\u2014-]")),
    ("and", re.compile(r"(?ai:,|&|and\b)")),
    ("cell", re.compile(r"\|")),
    ("both", re.compile(r"(?ai:both|all)\b")),
    ("none", re.compile(r"(?ai:none|nobody|no one)\b")),
    ("article", _ARTICLE),
    ("role", re.compile(r"(?ai:(knight|knave)s?)(?![^\W_])")),
    (
        "head",
        re.compile(
            r"(?ai:so|here|this|therefore|thus|hence|finally|in|the|final|answer|solution|conclusion|result|identit(?:y|ies)|roles?|as|follows|"
            r"names?|persons?|people|inhabitants?|characters?|types?)\b"
        ),
    ),
)
_LINE_BREAK = re.compile(r"\\n(?![a-z])")  # written as two characters
_NUMBER = re.compile(r"[0-9]{1,2}(?=[).:\s|])[).:]*")
_ITEM = re.compile(rf"{_NUMBER.pattern}|[-+\u2022\u2013]")  # where a line or a cell begins


class _Token(NamedTuple):
    kind: str  # of _WORDS, "name", or "item" for the number or mark of a line
    text: str


class _NoStatement(Exception):
    """The text is not made of statements about the people alone."""


def stated_roles(names: Sequence[str], answer: str) -> dict[str, str] | None:
    """`knight` or `knave` by name; None where the answer does not state exactly that of everyone."""
    if len(answer) > LONGEST:
        return None
    try:
        found = _Reader(_scan(names, _EDGE.sub("", _RULE.sub("", _LINE_BREAK.sub("\n", answer))))).read()
    except _NoStatement:
        return None
    return found if found.keys() == set(names) else None


def _scan(names: Sequence[str], text: str) -> list[_Token]:
    edge, rest = r"(?<![^\W_])", r"(?![^\W_])"
    longest_first = sorted(range(len(names)), key=lambda place: -len(names[place]))
    name = re.compile("|".join(f"{edge}(?P<n{place}>(?ai:{re.escape(names[place])})){rest}" for place in longest_first))
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        before = tokens[-1].kind if tokens else "break"
        if before == "is" and (article := _ARTICLE.match(text, position)):
            tokens.append(_Token("article", article[0]))  # "A is a knight": the second one is nobody's name
            position = article.end()
        elif person := name.match(text, position):
            tokens.append(_Token("name", names[int(str(person.lastgroup)[1:])]))
            position = person.end()
        elif item := (_ITEM if before in ("break", "item", "cell") else _NUMBER).match(text, position):
            tokens.append(_Token("item", item[0]))
            position = item.end()
        elif layout := _LAYOUT.match(text, position):
            position = layout.end()
        elif quoted := _QUOTED.match(text, position):
            inside = _scan(names, quoted["word"])
            if len(inside) != 1 or inside[0].kind not in ("name", "role"):
                raise _NoStatement  # somebody's claim
            tokens += inside
            position = quoted.end()
        else:
            token, position = _word(text, position)
            tokens.append(token)
    return tokens


def _word(text: str, position: int) -> tuple[_Token, int]:
    for kind, pattern in _WORDS:
        if match := pattern.match(text, position):
            return _Token(kind, match[0].lower()), match.end()
    raise _NoStatement


class _Reader:
    """Statements one after the other."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self.tokens = tokens
        self.place = 0
        self.roles: dict[str, str] = {}
        self.nobodys: set[str] = set()  # roles that nobody has

    def read(self) -> dict[str, str]:
        while self._between() or self.place < len(self.tokens):
            if self._kind() in ("name", "both"):
                self._people_first()
            elif self._kind() in ("role", "article"):
                self._role_first()
            elif self._kind() is not None:
                raise _NoStatement
        if self.nobodys & set(self.roles.values()):
            raise _NoStatement
        return self.roles

    def _between(self) -> bool:
        """Pass over what may stand between statements: marks, and the words in front of the first one or in the head of a table."""
        start = self.place
        while self._skip("break", "and") or (self._skip("item") and (self._skip("cell") or True)) or self._head():
            pass
        return self.place > start

    def _people_first(self) -> None:
        """`Mia is a knave`, `both Theo and Nora are knights`, `Theo, Nora: knights`, `Mia | knave`."""
        self._skip("both")
        people = self._people()
        if self._kind() == "is":
            verb = self._take().text
            if self._kind() == "break" and self.tokens[self.place].text == "\n":
                self._skip("break")  # a statement over two lines
            self._skip("both")
            article = self._skip("article")
            if (verb == "is" and (len(people) > 1 or not article)) or (verb == "are" and (len(people) == 1 or article)):
                raise _NoStatement
        elif len(people) > 1 or not (self._skip("cell", "and") or self._kind() == "role"):
            raise _NoStatement
        self._give(people, self._role())

    def _role_first(self) -> None:
        """`Knights: Theo, Nora`, `the knave is Mia`, `Knaves: none`; the people may stand on lines of their own."""
        self._skip("article")
        role = self._role()
        if self._kind() != "is":
            raise _NoStatement
        self._take()
        if self._skip("none"):
            self.nobodys.add(role)
            return
        self._skip("break", "item")
        people = self._people()
        while True:
            start = self.place
            if not self._skip("break", "item") or self._kind() != "name":
                break
            more = self._people()
            if self._kind() in ("is", "cell", "role"):
                self.place = start
                break
            people += more
        if self._kind() == "is":
            raise _NoStatement
        self._give(people, role)

    def _people(self) -> list[str]:
        if self._kind() != "name":
            raise _NoStatement
        people = [self._take().text]
        while self._kind() == "and":
            start = self.place
            self._skip("and")
            if self._kind() != "name":
                self.place = start
                break
            people.append(self._take().text)
        return people

    def _role(self) -> str:
        if self._kind() != "role":
            raise _NoStatement
        return self._take().text.removesuffix("s")

    def _give(self, people: Sequence[str], role: str) -> None:
        for person in people:
            if self.roles.setdefault(person, role) != role:
                raise _NoStatement

    def _head(self) -> bool:
        """Words before the first statement: `The final answer is:`, `| Name | Role |`."""
        return self._skip("head") and (self._skip("is", "head", "cell") or True)

    def _kind(self) -> str | None:
        return self.tokens[self.place].kind if self.place < len(self.tokens) else None

    def _take(self) -> _Token:
        self.place += 1
        return self.tokens[self.place - 1]

    def _skip(self, *kinds: str) -> bool:
        start = self.place
        while self._kind() in kinds:
            self.place += 1
        return self.place > start
