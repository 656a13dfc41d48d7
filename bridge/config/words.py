"""Plain words for what pydantic finds wrong with a value; an operator has never heard of pydantic."""

from typing import Any

from pydantic_core import ErrorDetails

from bridge.config.mailbox import KEYWORD_FORM, NAME_FORM
from bridge.config.webhook import WEBHOOK_NAME_FORM

TYPE_WORDS = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "model_type": "a table",
    "dict_type": "a table",
    "tuple_type": "a list in square brackets",
    "path_type": "a path in quotes",
    "ip_any_network": 'a network such as "10.0.0.0/8"',
}
"""What a value must be, by pydantic's name of the error."""

_BOUNDS = {
    "greater_than": "must be more than {gt:.15g}",
    "greater_than_equal": "must be at least {ge:.15g}",
    "less_than": "must be less than {lt:.15g}",
    "less_than_equal": "must be at most {le:.15g}",
    "finite_number": "must be a finite number",
}
_FORMS = {
    "literal_error": "must be {expected}",
    "value_error": "{error}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least one entry",
    "too_long": "must have at most {max_length} entries",
}
_PATTERNS = {
    NAME_FORM: "may have up to 64 letters, digits, spaces, dots, hyphens and underscores, and begins with "
    "a letter or digit",
    WEBHOOK_NAME_FORM: "may have up to 64 letters, digits, dots, hyphens and underscores, and begins with "
    "a letter or digit",
    "^/": "must begin with /",
    KEYWORD_FORM: "must be 1 to 64 letters, digits or signs of $_.-",
    r"^/.*\{id\}": "must begin with / and have {id} in it",
}


def words_for(fault: ErrorDetails, given: Any) -> str:
    """What is wrong with the value. Only numbers are repeated: a text might be a secret."""
    kind, context = fault["type"], fault.get("ctx", {})
    if kind in _BOUNDS:
        shown = f", not {given}" if isinstance(given, int | float) else ""
        return _BOUNDS[kind].format_map(context) + shown
    if kind in _FORMS:
        return _FORMS[kind].format_map(context)
    if kind == "string_pattern_mismatch":
        return _PATTERNS[context["pattern"]]
    return f"is not valid ({kind.replace('_', ' ')})"
