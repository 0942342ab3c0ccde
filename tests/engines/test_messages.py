"""The messages of tasks on a Ray cluster, without a cluster."""

from __future__ import annotations

from lossbench.engines._messages import MessageQueues


def test_messages_come_once_in_their_order_and_a_closed_queue_is_forgotten() -> None:
    queues = MessageQueues()
    assert not queues.put("a", "started", 1)
    queues.put("b", "started", 2)
    queues.put("a", "stepped", 3)
    assert queues.take("a", stopping=True) == [("started", 1), ("stepped", 3)]
    assert queues.take("a", stopping=True) == []
    assert queues.put("a", "stepped", 4)  # its sender should stop
    assert not queues.put("b", "stepped", 5)
    queues.close("a")
    assert list(queues.messages) == ["b"] and not queues.stopping
    assert queues.take("a", stopping=False) == []
