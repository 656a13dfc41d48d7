"""What is wrong with an expression or template as written, found on its tree before a message comes."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from jinja2 import meta, nodes
from jinja2.visitor import NodeTransformer

from bridge.routing.language import COUNTED, LOOP_BOUND, REFUSED_METHODS, VALUE, RouteEnvironment
from bridge.routing.pattern import PatternError, compiled
from bridge.routing.variables import TYPES

Fault = tuple[str, str]
"""What is wrong, and what to do."""

MAX_LOOP_DEPTH = 2

_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from ... import",
    nodes.Extends: "extends",
    nodes.Block: "block",
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.EvalContextModifier: "autoescape",
    nodes.ScopedEvalContextModifier: "autoescape",
    nodes.Pow: "**",
}


def faults_in(tree: nodes.Template, environment: RouteEnvironment) -> list[Fault]:
    """Every fault of the tree."""
    refused = [
        (f"{_REFUSED[type(node)]!r} is not offered in routes", "") for node in tree.find_all(tuple(_REFUSED))
    ]
    # The search for variables compiles the tree, which takes more than a tree with such parts can give.
    if refused:
        return list(dict.fromkeys(refused))
    faults = [*_unknown_words(tree, environment), *_patterns(tree), *_methods(tree), *_loops(tree)]
    if not faults:
        faults = [*_unknown_variables(tree), *_attributes(tree)]
    return list(dict.fromkeys(faults))


def variables_in(tree: nodes.Template) -> frozenset[str]:
    """The names that the message must give."""
    selves = {"self"} if any(node.name == "self" for node in tree.find_all(nodes.Name)) else set()
    return frozenset(meta.find_undeclared_variables(tree) | selves)


def _unknown_variables(tree: nodes.Template) -> Iterator[Fault]:
    for name in sorted(variables_in(tree) - TYPES.keys()):
        yield f"unknown variable {name!r}", _near(name, TYPES)


def _unknown_words(tree: nodes.Template, environment: RouteEnvironment) -> Iterator[Fault]:
    for use in tree.find_all(nodes.Filter):
        if use.name not in environment.filters:
            yield f"unknown filter {use.name!r}", _near(use.name, environment.filters)
    for test in tree.find_all(nodes.Test):
        if test.name not in environment.tests:
            yield f"unknown test {test.name!r}", _near(test.name, environment.tests)


def _patterns(tree: nodes.Template) -> Iterator[Fault]:
    for test in tree.find_all(nodes.Test):
        if test.name in {"search", "match"}:
            yield from _pattern_fault(test)


def _pattern_fault(test: nodes.Test) -> Iterator[Fault]:
    match test.args:
        case [nodes.Const(value=str(pattern))] if not test.kwargs:
            try:
                compiled(pattern)
            except PatternError as error:
                yield f"pattern {pattern!r}: {error}", ""
        case _:
            yield (
                f"the test {test.name!r} takes one pattern in quotes",
                "write the pattern itself, not a variable",
            )


def _methods(tree: nodes.Template) -> Iterator[Fault]:
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Getattr) and call.node.attr in REFUSED_METHODS:
            yield f"the method {call.node.attr!r} is not offered in routes", "put texts together with ~"


def _attributes(tree: nodes.Template) -> Iterator[Fault]:
    """Attributes that the type of a variable does not have; names set anew in the template are let be."""
    stored = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    for use in tree.find_all(nodes.Getattr):
        if isinstance(use.node, nodes.Name) and use.node.name not in stored:
            kind = TYPES.get(use.node.name)
            if kind is not None and (use.attr.startswith("_") or not hasattr(kind, use.attr)):
                yield f"{use.node.name!r} has nothing named {use.attr!r}", _near(use.attr, dir(kind))


def _loops(tree: nodes.Template) -> Iterator[Fault]:
    if any(loop.recursive for loop in tree.find_all(nodes.For)):
        yield "'recursive' is not offered in routes", ""
    if _loop_depth(tree) > MAX_LOOP_DEPTH:
        yield f"loops are nested more than {MAX_LOOP_DEPTH} deep", ""


def _loop_depth(node: nodes.Node) -> int:
    below = max((_loop_depth(child) for child in node.iter_child_nodes()), default=0)
    return below + isinstance(node, nodes.For)


def guard(tree: nodes.Template, environment: RouteEnvironment) -> None:
    """Let every loop see no more than MAX_LOOP entries, what every `~` makes be counted, and no method be a value."""
    _Guard(environment).visit(tree)


class _Guard(NodeTransformer):
    """Puts filters of the environment's own around nodes."""

    def __init__(self, environment: RouteEnvironment) -> None:
        self._environment = environment

    def visit_For(self, loop: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        self.generic_visit(loop)
        loop.iter = self._filtered(loop.iter, LOOP_BOUND)
        return loop

    def visit_Concat(self, concat: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        return self._filtered(self.generic_visit(concat), COUNTED)

    def visit_Getattr(self, attribute: nodes.Getattr) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        return self._filtered(self.generic_visit(attribute), VALUE)

    def visit_Call(self, call: nodes.Call) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        called = call.node
        self.generic_visit(call)
        if isinstance(called, nodes.Getattr):
            call.node = called
        return call

    def _filtered(self, node: nodes.Node, name: str) -> nodes.Filter:
        filtered = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
        filtered.set_environment(self._environment)
        return filtered


def _near(name: str, known: Iterable[Any]) -> str:
    near = get_close_matches(name, [word for word in known if word[:1].isalpha()], n=1)
    return f"did you mean {near[0]!r}?" if near else ""
