"""Random numbers derived from the seed of a run: one sequence for each purpose."""

import contextlib
import hashlib
import threading
from collections.abc import Iterator

import torch

_generator = threading.RLock()  # torch has one generator for all threads


def derived_seed(seed: int, *purpose: str | int) -> int:
    """The seed of one purpose of a run: what one purpose draws does not change what another draws."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextlib.contextmanager
def seeded(seed: int, *purpose: str | int) -> Iterator[None]:
    """Draw the random numbers of one purpose inside the block; afterwards torch's state is as before."""
    with _generator, torch.random.fork_rng():
        torch.manual_seed(derived_seed(seed, *purpose))
        yield


class Randomness:
    """The random numbers of one purpose of a run: inside `with`, torch's CPU generator continues them.

    `state` is that of the CPU's generator. On CUDA torch's own generator is seeded once, as a CUDA graph
    keeps its state.
    """

    def __init__(self, seed: int, *purpose: str | int) -> None:
        with seeded(seed, *purpose):
            self.state = torch.get_rng_state()
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(derived_seed(seed, *purpose))

    def __enter__(self) -> None:
        _generator.acquire()
        self._global_state = torch.get_rng_state()
        torch.set_rng_state(self.state)

    def __exit__(self, *_: object) -> None:
        self.state = torch.get_rng_state()
        torch.set_rng_state(self._global_state)
        _generator.release()
