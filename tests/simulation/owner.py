"""Which of the simulated processes a task, a callback or a connection belongs to."""

from contextvars import Context, ContextVar

OWNER: ContextVar[str] = ContextVar("OWNER", default="")


def owner_of(context: Context) -> str:
    """The process of a context; nobody's is that of the world itself."""
    return context.get(OWNER, "")
