"""YAML that people write: bounded in size and depth, with each key once, and nothing but plain values."""

from __future__ import annotations

from typing import Any

import yaml

MOST = 100_000  # values, each counted as often as aliases repeat it: nine lines of aliases to aliases come to a thousand million
DEEPEST = 50  # levels of values within values


def read_yaml(text: str) -> Any:
    """The value of a document.

    Raises:
        yaml.YAMLError: it is not valid, gives a key twice, is nested too deeply, or repeats too much by aliases.
    """
    return yaml.load(text, _Loader)


class _Loader(yaml.SafeLoader):
    def get_single_node(self) -> yaml.Node | None:
        try:
            node: yaml.Node | None = super().get_single_node()
        except RecursionError as error:
            raise yaml.MarkedYAMLError(problem=f"values are nested in more than {DEEPEST} levels") from error
        if node is not None:
            _count(node, {}, ())
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Refuses a key given twice instead of dropping the first value."""
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # `<<: *shared`: what is written beside it comes first
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands here twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _count(node: yaml.Node, known: dict[int, int], above: tuple[int, ...]) -> int:
    """Values in a node, itself included. `known`: of nodes that were counted, by identity; `above`: the nodes that it is in."""
    if id(node) in above:
        raise yaml.MarkedYAMLError(problem="an alias leads back to what it is in", problem_mark=node.start_mark)
    if len(above) >= DEEPEST:
        raise yaml.MarkedYAMLError(problem=f"values are nested in more than {DEEPEST} levels", problem_mark=node.start_mark)
    if id(node) not in known:
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            inner = node.value
        elif isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_count(part, known, (*above, id(node))) for part in inner)
    if known[id(node)] > MOST:
        raise yaml.MarkedYAMLError(problem=f"aliases repeat more than {MOST:,} values", problem_mark=node.start_mark)
    return known[id(node)]
