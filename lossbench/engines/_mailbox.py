"""Where runs on a Ray cluster leave word for the process that sent them, and hear whether to stop.

An actor on that process's own machine; it imports neither torch nor the data.
"""

from __future__ import annotations

import collections


class Mailbox:
    """Messages by box: a box for each sweep, since several may be under way in one process."""

    def __init__(self) -> None:
        self.messages: dict[str, list[tuple[object, ...]]] = collections.defaultdict(list)
        self.stopping: dict[str, bool] = {}

    def post(self, box: str, *message: object) -> bool:
        """Leave a message; whether its sender shall stop."""
        self.messages[box].append(message)
        return self.stopping.get(box, False)

    def collect(self, box: str, stopping: bool) -> list[tuple[object, ...]]:
        """Take all messages, in the order in which they came, and say whether to stop."""
        self.stopping[box] = stopping
        return self.messages.pop(box, [])

    def close(self, box: str) -> None:
        """Forget a box."""
        self.messages.pop(box, None)
        self.stopping.pop(box, None)
