"""Messages from tasks on a Ray cluster to the process that submitted them.

The actor runs on that process's own machine; it imports neither torch nor the data.
"""

import collections


class MessageQueues:
    """A queue for each executor, since one process may have several."""

    def __init__(self) -> None:
        self.messages: dict[str, list[tuple[object, ...]]] = collections.defaultdict(list)
        self.stopping: dict[str, bool] = {}

    def put(self, queue: str, *message: object) -> bool:
        """Append a message; returns whether its sender should stop."""
        self.messages[queue].append(message)
        return self.stopping.get(queue, False)

    def take(self, queue: str, stopping: bool) -> list[tuple[object, ...]]:
        """Remove and return all messages in the order of arrival, and set whether senders should stop."""
        self.stopping[queue] = stopping
        return self.messages.pop(queue, [])

    def close(self, queue: str) -> None:
        """Forget a queue."""
        self.messages.pop(queue, None)
        self.stopping.pop(queue, None)
