"""The table of flood control."""

from pydantic import Field

from bridge.config.duration import Seconds
from bridge.config.values import Table


class Flood(Table):
    """When what comes is held as a flood, for an operator's word."""

    burst_least: int = Field(
        500, ge=1, description="So many messages of one source within ten minutes are never a burst."
    )
    burst_factor: float = Field(
        10.0,
        gt=0,
        description="More than `burst_least`, and more than this times the number of a usual hour: a burst. "
        "Of a source that is not known yet `burst_least` is taken for the usual hour.",
    )
    sender: int = Field(
        200,
        ge=0,
        description="So many mails of one sender within ten minutes are no loop; automatic mails count double. "
        "0: no bound.",
    )
    conversation: int = Field(
        30,
        ge=0,
        description="So many mails of one conversation within ten minutes are no loop; automatic mails count "
        "double. 0: no bound.",
    )
    quiet: Seconds = Field(
        600.0,
        ge=1,
        le=86400,
        description="A suspected loop is over after so many seconds without a mail of it.",
    )
