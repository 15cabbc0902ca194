"""YAML that people write: bounded in size and depth, with each key once, and nothing but plain values."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

MOST = 100_000  # values, each counted as often as aliases repeat it: nine lines of aliases to aliases come to a thousand million
DEEPEST = 50  # levels of values within values
MERGE = "tag:yaml.org,2002:merge"


def read_yaml(text: str) -> Any:
    """The value of a document. Anchors, aliases and merge keys work; no two parts of the value are the same object.

    Raises:
        yaml.YAMLError: it is not valid, gives a key twice, is nested too deeply, or repeats too much by aliases.
    """
    return _apart(yaml.load(text, _Loader))


def count_values(value: Any) -> int:
    """Values in a value, itself included; keys are not counted."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count_values, inner))


def _apart(value: Any) -> Any:
    """Copies of what aliases repeat: a change of one of them must not change the others."""
    if isinstance(value, dict):
        return {key: _apart(inner) for key, inner in value.items()}
    return [_apart(inner) for inner in value] if isinstance(value, list) else value


class _Loader(yaml.SafeLoader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.flat: set[int] = set()  # mappings whose merge keys are resolved, by identity

    def get_single_node(self) -> yaml.Node | None:
        try:
            node: yaml.Node | None = super().get_single_node()
        except RecursionError as error:
            raise yaml.MarkedYAMLError(problem=f"values are nested in more than {DEEPEST} levels") from error
        if node is not None:
            _measure(node, {}, ())
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Resolve the merge keys of a mapping. Refuses a key given twice, where PyYAML takes the last value.

        Once only: afterwards a mapping has the keys merged into it beside its own, and these may be the same.
        """
        if id(node) in self.flat:
            return
        self.flat.add(id(node))
        seen = set()
        for key_node, _ in node.value:
            merge = key_node.tag == MERGE
            key = MERGE if merge else self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(problem="a key is a single value", problem_mark=key_node.start_mark)
            if key in seen:
                problem = "`<<` stands here twice; write `<<: [*first, *second]`" if merge else f"the key {key!r} stands here twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            seen.add(key)
        super().flatten_mapping(node)


def _measure(node: yaml.Node, known: dict[int, tuple[int, int]], above: tuple[int, ...]) -> tuple[int, int]:
    """Values in a node, itself included, and its levels. `known`: of nodes measured before; `above`: nodes that it is in."""
    if id(node) in above:
        raise yaml.MarkedYAMLError(problem="an alias leads back to what it is in", problem_mark=node.start_mark)
    if id(node) not in known and len(above) < DEEPEST:
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            inner = node.value
        elif isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
        measured = [_measure(part, known, (*above, id(node))) for part in inner]
        known[id(node)] = 1 + sum(count for count, _ in measured), 1 + max((levels for _, levels in measured), default=0)
    count, levels = known.get(id(node), (1, 1))
    if len(above) + levels > DEEPEST:
        raise yaml.MarkedYAMLError(problem=f"values are nested in more than {DEEPEST} levels", problem_mark=node.start_mark)
    if count > MOST:
        raise yaml.MarkedYAMLError(problem=f"aliases repeat more than {MOST:,} values", problem_mark=node.start_mark)
    return count, levels
