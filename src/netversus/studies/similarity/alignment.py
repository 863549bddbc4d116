"""What the batches said of how alike places are, as kept in the run, and the alignment that follows. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from netversus.records import Effect
from netversus.statistics.distributions import student

FILE = "alignment.npz"
FEWEST_BATCHES = 5  # below this their spread says too little for an interval
LEVEL = 0.95

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Network:
    """One network's places among all: its stages, then what its last layer sees. `untrained`: a copy with new weights.

    `labels` name the places; the first of them is number `first`.
    """

    name: str
    untrained: bool
    first: int
    labels: tuple[str, ...]

    @property
    def places(self) -> range:
        """The numbers of its places."""
        return range(self.first, self.first + len(self.labels))


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """`hsic`: float64, shape (batches, places, places), the debiased HSIC within each batch; `sizes`: images in each.

    `disagreed` holds the places, in the order of reading, of the first images that were given different answers.
    """

    networks: tuple[Network, ...]
    hsic: Array
    sizes: Array
    read: int
    disagreed: tuple[int, ...]

    def network(self, name: str, *, untrained: bool = False) -> Network | None:
        """A contender's network, or its untrained copy."""
        return next((n for n in self.networks if n.name == name and n.untrained is untrained), None)

    def cka(self) -> Array:
        """Linear CKA of every two places, shape (places, places); NaN where features do not vary. See `cka`."""
        return cka(self.hsic, self.sizes)

    def interval(self, one: int, other: int) -> Effect | None:
        """The CKA of two places with its interval; None where the batches are too few, or the CKA is not defined."""
        part = np.ix_(range(len(self.sizes)), (one, other), (one, other))
        return jackknife(self.hsic[part], self.sizes) if len(self.sizes) >= FEWEST_BATCHES else None


def cka(hsic: Array, sizes: Array) -> Array:
    """Minibatch CKA (Nguyen, Raghu & Kornblith, ICLR 2021): the mean HSIC of two places over the batches, over the
    geometric mean of their own. Batches count by their images. Not cut to [0, 1]: without bias, independent features
    lie about 0, on both sides of it.

    Args:
        hsic: float64, shape (batches, p, p).
        sizes: float64, shape (batches,).
    """
    mean = np.tensordot(sizes / sizes.sum(), hsic, axes=1)
    own = np.diagonal(mean)
    norm = np.sqrt(np.where(own > 0, own, np.nan))
    return np.asarray(mean / np.outer(norm, norm))


def jackknife(hsic: Array, sizes: Array) -> Effect | None:
    """The CKA of two places, `hsic` of shape (batches, 2, 2), with an interval from leaving out each batch in turn
    (Tukey's jackknife; Student's t with batches - 1 degrees of freedom). None where it is not defined."""
    count = len(sizes)
    whole = float(cka(hsic, sizes)[0, 1])
    kept = ~np.eye(count, dtype=bool)
    without = np.array([cka(hsic[keep], sizes[keep])[0, 1] for keep in kept])
    if not np.isfinite([whole, *without]).all():
        return None
    error = float(np.sqrt((count - 1) / count * np.square(without - without.mean()).sum()))
    reach = float(student.isf((1 - LEVEL) / 2, count - 1)) * error
    return Effect(whole, whole - reach, whole + reach, LEVEL)


def dumped(alignment: Alignment) -> bytes:
    """The file that keeps it."""
    networks, file = alignment.networks, BytesIO()
    np.savez_compressed(
        file,
        names=np.array([n.name for n in networks]),
        untrained=np.array([n.untrained for n in networks]),
        counts=np.array([len(n.labels) for n in networks]),
        labels=np.array([label for n in networks for label in n.labels]),
        hsic=alignment.hsic,
        sizes=alignment.sizes,
        read=np.array(alignment.read),
        disagreed=np.array(alignment.disagreed, dtype=np.int64),
    )
    return file.getvalue()


def loaded(content: bytes | None) -> Alignment | None:
    """The alignment of such a file, None of none."""
    if content is None:
        return None
    with np.load(BytesIO(content), allow_pickle=False) as file:
        labels, counts = file["labels"].tolist(), file["counts"].tolist()
        firsts = np.cumsum([0, *counts]).tolist()
        networks = tuple(
            Network(name, bool(untrained), first, tuple(labels[first : first + count]))
            for name, untrained, first, count in zip(
                file["names"].tolist(), file["untrained"].tolist(), firsts[:-1], counts, strict=True
            )
        )
        disagreed = tuple(file["disagreed"].tolist())
        return Alignment(networks, file["hsic"], file["sizes"], int(file["read"]), disagreed)
