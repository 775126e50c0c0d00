"""Logs of a server that clients can make it write: every message at most once a minute."""

import logging
import time

SECONDS = 60.0
LOGGERS = ("uvicorn.error", "asyncio")
MOST_KINDS = 1000


class OncePerMinute(logging.Filter):
    """Pass the first record of a kind, and one a minute after it with the number left out.

    Records are of one kind if their text before formatting and the type of their exception agree.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is written."""
        kind = str(record.msg), record.exc_info[0] if record.exc_info else None
        now = time.monotonic()
        last, left_out = self._passed.get(kind, (-SECONDS, 0))
        if now - last < SECONDS:
            self._passed[kind] = last, left_out + 1
            return False
        if len(self._passed) >= MOST_KINDS:
            self._passed.clear()
        self._passed[kind] = now, 0
        if left_out:
            record.msg = f"{record.msg} ({left_out} more like this since the last such line)"
        return True


def calm_logs() -> None:
    """Let the servers' loggers write every message at most once a minute."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, OncePerMinute) for each in logger.filters):
            logger.addFilter(OncePerMinute())
