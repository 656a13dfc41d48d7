"""Expressions and templates, compiled once: each is a function of the variables' values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from bridge.routing.faults import Fault, faults_in, guard, variables_in
from bridge.routing.language import RouteEnvironment
from bridge.routing.making import TooLongError

MAX_RENDERED = 64 * 1024
"""Characters that a template may make."""

Values = dict[str, Any]
ENVIRONMENT = RouteEnvironment()

_RESULT = "result"


class SourceError(Exception):
    """An expression or template cannot be used as it is written; it carries every fault."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(what for what, _ in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression or template, and the variables that it looks at."""

    evaluate: Callable[[Values], Any]
    variables: frozenset[str]


def compile_expression(source: str) -> Compiled:
    """The expression of a `when`. Raises SourceError."""
    with _explained(lambda: _expression_hint(source)):
        tree, expression = _parse_expression(source)
        return _compiled(tree, expression, _evaluator)


def compile_template(source: str) -> Compiled:
    """A template that makes a text. Raises SourceError."""
    with _explained(lambda: ""):
        tree = ENVIRONMENT.parse(source)
        match tree.body:
            case [nodes.Output(nodes=[only])]:
                return _compiled(tree, only, _renderer)
        return _compiled(tree, None, _renderer)


def _compiled(
    tree: nodes.Template, only: Any, compile_tree: Callable[[Template], Callable[[Values], Any]]
) -> Compiled:
    faults = faults_in(tree, ENVIRONMENT)
    if faults:
        raise SourceError(faults)
    variables = variables_in(tree)
    # Most fields are one variable and nothing else; Jinja's frame around it would be most of the time.
    if isinstance(only, nodes.Name):
        return Compiled(_variable(only.name, as_text=compile_tree is _renderer), variables)
    if isinstance(only, nodes.Const) and compile_tree is _evaluator:
        return Compiled(_constant(only.value), variables)
    guard(tree, ENVIRONMENT)
    return Compiled(compile_tree(ENVIRONMENT.from_string(tree)), variables)


def _variable(name: str, *, as_text: bool) -> Callable[[Values], Any]:
    return (lambda values: str(values[name])) if as_text else (lambda values: values[name])


def _constant(value: Any) -> Callable[[Values], Any]:
    return lambda _: value


def _evaluator(template: Template) -> Callable[[Values], Any]:
    new_context, run = template.new_context, template.root_render_func

    def evaluate(values: Values) -> Any:
        context = new_context(values, shared=True)
        for _ in run(context):
            pass
        return context.vars[_RESULT]

    return evaluate


def _renderer(template: Template) -> Callable[[Values], str]:
    new_context, run = template.new_context, template.root_render_func

    def render(values: Values) -> str:
        parts, length = [], 0
        for part in run(new_context(values, shared=True)):
            parts.append(part)
            length += len(part)
            if length > MAX_RENDERED:
                raise TooLongError(f"makes more than {MAX_RENDERED} characters")
        return "".join(parts)

    return render


def _parse_expression(source: str) -> tuple[nodes.Template, nodes.Expr]:
    """The tree of a template that keeps the expression's value, and the expression in it."""
    parser = Parser(ENVIRONMENT, source, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        token = parser.stream.current
        raise TemplateSyntaxError(f"{token.value!r} is left over", token.lineno)
    tree = nodes.Template([nodes.Assign(nodes.Name(_RESULT, "store"), expression, lineno=1)], lineno=1)
    tree.set_environment(ENVIRONMENT)
    return tree, expression


@contextmanager
def _explained(hint: Callable[[], str]) -> Iterator[None]:
    """Whatever parsing and compiling raise becomes SourceError."""
    try:
        yield
    except TemplateSyntaxError as error:
        raise SourceError([(f"is not valid: {error.message}", hint())]) from None
    except RecursionError:
        raise SourceError([("is nested too deeply", "make it shorter")]) from None
    except (ValueError, SyntaxError) as error:
        raise SourceError([(f"cannot be compiled: {error}", "")]) from None


def _expression_hint(source: str) -> str:
    if "{{" in source or "{%" in source:
        return "`when` is an expression: write it without {{ }}"
    return "a comparison is written ==" if "=" in source.replace("==", "") else ""
