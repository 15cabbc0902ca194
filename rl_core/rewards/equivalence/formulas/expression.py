r"""Formulas as trees: a recursive-descent parser of cleaned text (see `cleaning`), LaTeX and plain alike.

A tree is a number (`Fraction`), a symbol (`str`) or a tuple of an operation's name and its operands. Operations: `+ * / ^ neg`, `root`
(degree, radicand), `!`, `!!`, `binom`, `log` (base or None, argument), `sum` and `prod` (symbol, from, to, term), `call` (unknown function)
and the functions of one argument in `FUNCTIONS`.
"""

import re
from fractions import Fraction
from functools import lru_cache

from rl_core.rewards.equivalence.formulas.notation import rewrite

Node = Fraction | str | tuple


_CIRCULAR = ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth")


_INVERSE = {f"arc{name}": f"arc{name}" for name in ("sin", "cos", "tan", "cot", "sec", "csc")}


_INVERSE |= {short: f"arc{short[1:]}" for short in ("asin", "acos", "atan")}


FUNCTIONS = {name: name for name in (*_CIRCULAR, "exp", "ln", "abs", "floor", "ceil", "max", "min", "gcd", "lcm")} | _INVERSE


_NAMES = (*FUNCTIONS, "log", "lg", "sqrt", "cbrt", "cis")


_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)|(?P<command>\\[A-Za-z]+)"
    rf"|(?P<word>{'|'.join(sorted(_NAMES, key=len, reverse=True))})(?![a-z]{{2}})|(?P<sign>\S))"
)


_DEEPEST = 60  # nested groups


_STOP = frozenset("+-,;=<>)]}|\u2775\u2264\u2265")


class NotAnExpression(ValueError):
    """The text is no formula, or one of a kind that is not read."""


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The tree of a cleaned text, read whole. Raises NotAnExpression if any part of the text is not understood."""
    parser = _Parser(_tokens(rewrite(text)))
    tree = parser.sum()
    if parser.position != len(parser.tokens):
        raise NotAnExpression(text)
    return tree


def _tokens(text: str) -> list[tuple[str, str]]:
    found = [(match.lastgroup or "", match[match.lastgroup or 0]) for match in _TOKEN.finditer(text)]
    if any(sign in "#&@`\u00a6\u2208\u222a\u2216\u2026\u00b1\u2213?" for kind, sign in found if kind == "sign"):
        raise NotAnExpression(text)
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0
        self.bars = 0  # absolute values that are open

    @property
    def next(self) -> str:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else ""

    @property
    def kind(self) -> str:
        return self.tokens[self.position][0] if self.position < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        found = self.next
        if not found or (expected is not None and found != expected):
            raise NotAnExpression(found)
        self.position += 1
        return found

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise NotAnExpression("too deep")
        total = self.term()
        while self.next in ("+", "-"):
            negative = self.take() == "-"
            term = self.term()
            total = ("+", total, ("neg", term) if negative else term)
        self.depth -= 1
        return total

    def term(self) -> Node:
        if self.next in ("-", "+"):
            negative = self.take() == "-"
            if self.next in ("-", "+"):
                raise NotAnExpression("--")
            return ("neg", self.term()) if negative else self.term()
        return self.product(None)

    def product(self, start: Node | None) -> Node:
        total = self.power() if start is None else start
        while True:
            if self.next in ("\u00b7", "/"):
                operation = "*" if self.take() == "\u00b7" else "/"
                negative = self.next == "-" and bool(self.take())
                factor = self.power()
                total = (operation, total, ("neg", factor) if negative else factor)
            elif self.starts_factor():
                if self.kind == "number" and self.tokens[self.position - 1][0] == "number":
                    raise NotAnExpression("two numbers side by side")
                total = ("*", total, self.power())
            else:
                return total

    def starts_factor(self) -> bool:
        if not self.next or self.next in _STOP or self.next in ("^", "_", "!", "'", "\u00b0", "%", "/", ":"):
            return self.next == "|" and not self.bars
        return self.next not in (r"\rfloor", r"\rceil", r"\end", r"\\", r"\pmod", r"\bmod")

    def power(self) -> Node:
        return self.raised(self.primary())

    def raised(self, base: Node) -> Node:
        while True:
            if self.next in ("^", r"\power"):
                self.take()
                base = ("^", base, self.exponent())
            elif self.next == "!":
                self.take()
                double = self.next == "!" and bool(self.take())
                base = ("!!" if double else "!", base)
            elif self.next == "\u00b0":
                self.take()
                base = ("*", base, ("/", "\u03c0", Fraction(180)))
            elif self.next == "%":
                self.take()
                base = ("/", base, Fraction(100))
            else:
                return base

    def exponent(self) -> Node:
        if self.next == "-":
            self.take()
            return ("neg", self.primary())
        if self.next == "+":
            self.take()
        return self.primary()

    def group(self, opening: str, closing: str) -> Node:
        self.take(opening)
        bars, self.bars = self.bars, 0
        inside = self.sum()
        self.bars = bars
        self.take(closing)
        return inside

    def argument(self) -> Node:
        """A TeX argument: a group, or a single digit, letter or command."""
        if self.next == "{":
            return self.group("{", "}")
        if self.kind == "number" and len(self.next) > 1 and "." not in self.next:
            digits = self.next
            self.tokens[self.position : self.position + 1] = [("number", digits[0]), ("number", digits[1:])]
            return Fraction(int(self.take()))
        return self.primary()

    def primary(self) -> Node:
        kind, text = self.kind, self.next
        if kind == "number":
            self.take()
            return Fraction(text.rstrip(".")) if len(text) < 400 else _refuse(text)
        if kind == "word" or (kind == "command" and text[1:] in (*_NAMES, "lfloor", "lceil", "Re", "Im")):
            return self.function(text.lstrip("\\"))
        if kind == "command":
            return self.command(text)
        if text in ("(", "["):
            return self.group(text, ")" if text == "(" else "]")
        if text == "{":
            return self.group("{", "}")
        if text == "|":
            self.take()
            self.bars += 1
            inside = self.sum()
            self.bars -= 1
            self.take("|")
            return ("abs", inside)
        if text == "\u03c0" or text.isalpha() or text == "\u221e":
            return self.symbol(self.take())
        raise NotAnExpression(text)

    def command(self, text: str) -> Node:
        self.take()
        if text == r"\frac":
            return ("/", self.argument(), self.argument())
        if text == r"\binom":
            return ("binom", self.argument(), self.argument())
        if text == r"\Gamma" and self.next == "(":
            return ("!", ("+", self.group("(", ")"), Fraction(-1)))
        if text in (r"\sum", r"\prod"):
            return self.series(text[1:])
        if text in (r"\overline", r"\bar", r"\vec", r"\hat", r"\tilde"):
            inside = self.argument()
            if text in (r"\overline", r"\bar") and "i" in leaves(inside) and inside != "i" and not symbols(inside):
                return conjugate(inside)
            return self.symbol(text + str(inside)) if isinstance(inside, str) else _refuse(text)
        if text in (r"\int", r"\lim", r"\oint", r"\begin", r"\end", r"\over", r"\choose", r"\notin", r"\power", r"\to", r"\pmod"):
            raise NotAnExpression(text)
        return self.symbol(text)

    def symbol(self, name: str) -> Node:
        primes = ""
        while self.next in ("_", "'"):
            if self.take() == "_":
                name += "_" + self.raw()
            else:
                primes += "'"
        name += primes
        if name in ("f", "g", "h", "F", "G", "f'", "I", "u", r"\delta", "P") and self.next == "(":
            position = self.position
            inside = self.group("(", ")")
            if name in ("f", "g", "h", "F", "G", "f'") or not isinstance(inside, tuple):
                return ("call", name, inside)
            self.position = position
        return name

    def raw(self) -> str:
        """A subscript as written, without braces."""
        if self.next != "{":
            return self.take()
        depth, found = 0, ""
        while True:
            piece = self.take()
            depth += (piece == "{") - (piece == "}")
            found += piece if piece not in "{}" else ""
            if not depth:
                return found.lstrip("\\")

    def series(self, name: str) -> Node:
        self.take("_")
        self.take("{")
        index = self.take()
        self.take("=")
        low = self.sum()
        self.take("}")
        self.take("^")
        high = self.argument()
        return (name, index, low, high, self.product(None))

    def function(self, name: str) -> Node:
        self.take()
        if name in ("lfloor", "lceil"):
            inside = self.sum()
            self.take("\\r" + name[1:])
            return ("floor" if name == "lfloor" else "ceil", inside)
        if name in ("sqrt", "cbrt"):
            degree: Node = Fraction(3 if name == "cbrt" else 2)
            if self.next == "[":
                degree = self.group("[", "]")
            return ("root", degree, self.primary())
        base: Node | None = Fraction(10) if name == "lg" else None
        power: Node | None = None
        while self.next in ("^", "_"):
            if self.take() == "_":
                base = self.argument() if self.next == "{" or self.kind != "number" else Fraction(self.take())
            else:
                power = self.exponent()
        if name in ("max", "min", "gcd", "lcm"):
            return self.of_several(name)
        name = FUNCTIONS.get(name, name)
        if power == ("neg", Fraction(1)) and name in _CIRCULAR:
            name, power = f"arc{name}", None
        inside = self.operand()
        if name == "cis":
            return ("+", ("cos", inside), ("*", "i", ("sin", inside)))
        found: Node = ("log", base, inside) if name in ("log", "lg", "ln") and (base is not None or name != "ln") else (name, inside)
        return found if power is None else ("^", found, power)

    def of_several(self, name: str) -> Node:
        opening = self.take()
        closing = {"(": ")", "[": "]", "\u2774": "\u2775"}.get(opening)
        if closing is None:
            raise NotAnExpression(opening)
        operands = [self.sum()]
        while self.next == ",":
            self.take()
            operands.append(self.sum())
        self.take(closing)
        return (name, *operands)

    def operand(self) -> Node:
        r"""What a function without braces applies to: one group, or the product up to the next function, sign or bracket."""
        if self.next in ("(", "[", "{", "|"):
            return self.primary()
        total = self.power()
        while self.starts_factor() and self.kind != "word" and self.next not in ("(", "[", "\u00b7"):
            if self.kind == "command" and self.next[1:] in _NAMES:
                break
            total = ("*", total, self.power())
        return total


def _refuse(text: str) -> Node:
    raise NotAnExpression(text)


def conjugate(node: Node) -> Node:
    if node == "i":
        return ("neg", "i")
    return (node[0], *(operand if operand is None else conjugate(operand) for operand in node[1:])) if isinstance(node, tuple) else node


def leaves(node: Node) -> frozenset[str]:
    """Names in a tree, constants among them."""
    if isinstance(node, tuple):
        return frozenset().union(*(leaves(operand) for operand in node[1:] if operand is not None))
    return frozenset([node]) if isinstance(node, str) else frozenset()


def symbols(node: Node) -> frozenset[str]:
    """Names of the free symbols of a tree."""
    if isinstance(node, str):
        return frozenset() if node in ("\u03c0", "e", "i", "\u221e") else frozenset([node])
    if not isinstance(node, tuple):
        return frozenset()
    if node[0] in ("sum", "prod"):
        return (symbols(node[2]) | symbols(node[3]) | symbols(node[4])) - {node[1]}
    operands = node[2:] if node[0] == "call" else node[1:]
    return frozenset().union(*(symbols(operand) for operand in operands if operand is not None))


def operations(node: Node) -> frozenset[str]:
    """Names of the operations in a tree."""
    if not isinstance(node, tuple):
        return frozenset()
    return frozenset([node[0]]).union(*(operations(operand) for operand in node[1:] if operand is not None))
