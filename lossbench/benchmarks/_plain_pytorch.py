"""Training as most public code does it: torchvision's data set and a DataLoader, float32, SGD, `.item()`.

The recipe is that of a much copied MNIST example for center loss (jxgu1016/MNIST_center_loss_pytorch): SGD
at 0.001, momentum 0.9, weight decay 0.0005, times 0.8 every 20 epochs, batch 128, pixels by MNIST's mean and
deviation. One process loads and trains: on few cores loaders would only take them from training.
"""

import itertools
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..data import STANDARD_FILES
from ..records import LabelledImages

MEAN, DEVIATION = 0.1307, 0.3081
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.001, 0.9, 0.0005
DECAY_EVERY, DECAY = 20, 0.8
RECIPE = (
    "torchvision.datasets.MNIST with ToTensor and Normalize, DataLoader without workers, float32 contiguous, "
    f"SGD at {LEARNING_RATE}, momentum {MOMENTUM}, weight decay {WEIGHT_DECAY}, `.item()` after every step"
)


def loader(images: LabelledImages, batch_size: int) -> DataLoader[tuple[Tensor, Tensor]]:
    """Shuffled batches of the images (N, 1, 28, 28) that we train on, read by torchvision's own class."""
    from torchvision import datasets, transforms

    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "MNIST", "raw")
        raw.mkdir(parents=True)
        parts = (images.images.squeeze(1), images.labels)
        for name, part in zip(STANDARD_FILES, parts + tuple(part[:1] for part in parts), strict=True):
            (raw / name).write_bytes(_idx(part))
        change = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (DEVIATION,))])
        read = datasets.MNIST(folder, transform=change)  # wholly into memory: the files can go
    return DataLoader(read, batch_size, shuffle=True, drop_last=True)


def _idx(part: Tensor) -> bytes:
    shape = struct.pack(f">{part.ndim}I", *part.shape)
    return bytes([0, 0, 8, part.ndim]) + shape + part.cpu().byte().numpy().tobytes()


def endless(batches: DataLoader[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch after another."""
    return itertools.chain.from_iterable(itertools.repeat(batches))


class PlainTraining:
    """A network and its loss, (features, labels) to a scalar, in the usual training."""

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        value: Callable[[Tensor, Tensor], Tensor],
        device: torch.device,
    ) -> None:
        self.network, self.loss, self.value = network.to(device), loss.to(device), value
        self.device = device
        for layer in self.network.modules():
            if isinstance(layer, nn.PReLU):
                layer.__class__ = nn.PReLU  # torch's own gradient, where ours is faster
        parameters = [*self.network.parameters(), *self.loss.parameters()]
        self.optimizer = torch.optim.SGD(
            parameters, lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
        )
        self.decay = torch.optim.lr_scheduler.StepLR(self.optimizer, DECAY_EVERY, DECAY)

    def step(self, images: Tensor, labels: Tensor) -> float:
        """One step on images (B, 1, 28, 28) float32 and labels (B,); the value of the loss."""
        before = torch.backends.cudnn.deterministic
        torch.backends.cudnn.deterministic = False  # as public code leaves it; ours asks for it
        try:
            return self._step(images, labels)
        finally:
            torch.backends.cudnn.deterministic = before

    def _step(self, images: Tensor, labels: Tensor) -> float:
        features = self.network(images.to(self.device))
        value = self.value(features, labels.to(self.device))
        self.optimizer.zero_grad()
        value.backward()
        self.optimizer.step()
        return value.item()


class OwnPixels(nn.Module):
    """The usual network for pixels as lossbench normalizes them, so that one evaluation serves both."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 1, 28, 28) in [-1, 1), as `data.normalize` gives them, to features (B, D)."""
        features: Tensor = self.network(((images * 128 + 127.5) / 255 - MEAN) / DEVIATION)
        return features
