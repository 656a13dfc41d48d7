"""Where asyncio tasks wait, as text. Task.get_stack() shows only the outermost frame of a waiting task."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

MAX_TASKS = 500
MAX_FRAMES = 25

_FRAME_AND_NEXT = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))


def task_stacks(tasks: Iterable[asyncio.Task[Any]]) -> list[tuple[str, list[str]]]:
    """Each task's name and its places, outermost first; at most MAX_TASKS tasks, ordered by name."""
    named = sorted(tasks, key=lambda task: task.get_name())[:MAX_TASKS]
    return [(task.get_name(), await_chain(task.get_coro())) for task in named]


def await_chain(awaitable: object) -> list[str]:
    """The places of a suspended coroutine, outermost first, as `file.py:line function`."""
    places: list[str] = []
    while awaitable is not None and len(places) < MAX_FRAMES:
        frame, inner = _look(awaitable)
        if frame is None:
            break
        places.append(_place(frame.f_code, frame.f_lineno))
        awaitable = inner
    return places


def _look(awaitable: object) -> tuple[FrameType | None, object]:
    for frame_name, next_name in _FRAME_AND_NEXT:
        frame = getattr(awaitable, frame_name, None)
        if frame is not None:
            return frame, getattr(awaitable, next_name)
    return None, None


def _place(code: CodeType, line: int) -> str:
    return f"{Path(code.co_filename).name}:{line} {code.co_qualname}"
