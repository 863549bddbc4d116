"""FAB, targeted (Croce and Hein 2020, "Minimally distorted adversarial examples with a fast adaptive boundary attack").

The boundary between the label and one wrong class is taken as the plane that the gradient says, the image is projected
on it within [0, 1], and steps are drawn towards the original, so that what is found is near. It knows no eps: one that
is given only tells when to stop.
"""

from __future__ import annotations

import torch
from torch import Tensor

from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.losses import difference, rivals
from netversus.lab.attacks.rows import Rows, advance
from netversus.lab.attacks.targets import towards_each
from netversus.lab.attacks.threat import Threat, per_row, row_sum
from netversus.lab.attacks.victim import Victim, chunk_for

# The paper's: at most a tenth of the way is drawn to the original, 5 % beyond the plane, a tenth back once it is wrong.
MOST_BACK, BEYOND, BACK = 0.1, 1.05, 0.9
NEWTON_STEPS = 12  # of a piecewise linear equation; what they fall short of, the next pass makes up
NEAR_ENOUGH = 1e-5


def fab_t(victim: Victim, images: Tensor, labels: Tensor, threat: Threat, budget: Budget, keys: Tensor) -> Tensor:
    """The nearest wrong point found on the way to each of the likeliest wrong classes, or the image itself.

    An image is done as soon as a wrong point lies within eps. With `to_the_end` all steps are taken towards every
    class, for the nearest point of all.
    """
    if not len(images):
        return images.clone()
    walker = _Walker(victim, threat, budget)
    if not budget.to_the_end:
        return towards_each(victim, images, labels, threat, budget, keys, begin=walker.begin, step=walker.step)
    n, targets = len(images), rivals(victim.exact(images).to(images.device), labels, budget.targets)
    best, nearest = images.clone(), torch.full((n,), torch.inf, dtype=torch.float64, device=images.device)
    for rank in range(targets.shape[1]):
        state = walker.begin(images, labels, targets[:, rank], keys, torch.full_like(labels, rank))
        ended = advance(state, walker.step, chunk_for(*images.shape[-2:]))
        nearer = ended["nearest"] < nearest
        best = torch.where(per_row(nearer), ended["best"], best)
        nearest = torch.where(nearer, ended["nearest"], nearest)
    return best


class _Walker:
    """The steps of FAB, on rows that may each be at another step."""

    def __init__(self, victim: Victim, threat: Threat, budget: Budget) -> None:
        self.victim, self.threat, self.budget = victim, threat, budget

    def begin(self, images: Tensor, labels: Tensor, targets: Tensor, keys: Tensor, ranks: Tensor) -> Rows:
        """The state before the first pass. Nothing is drawn: a walk begins at the image itself."""
        del keys, ranks
        n, device = len(images), images.device
        return {
            "clean": images,
            "labels": labels,
            "targets": targets,
            "x": images.clone(),
            "best": images.clone(),
            "nearest": torch.full((n,), torch.inf, dtype=torch.float64, device=device),
            "misled": torch.zeros(n, dtype=torch.bool, device=device),
            "taken": torch.zeros(n, dtype=torch.int64, device=device),
        }

    def step(self, rows: Rows) -> Tensor:
        """Look at where each row is, then move it."""
        gradient, logits, gap = self.victim.gradient(rows["x"], rows["labels"], difference(rows["targets"]))
        wrong = logits.argmax(1) != rows["labels"]
        away = self.threat.distance(rows["x"], rows["clean"])
        nearer = wrong & (away < rows["nearest"])
        rows["best"] = torch.where(per_row(nearer), rows["x"], rows["best"])
        rows["nearest"] = torch.where(nearer, away, rows["nearest"])
        rows["misled"] = rows["nearest"] <= self.threat.eps
        _move(rows, gradient, gap, wrong, self.threat)
        rows["taken"] = rows["taken"] + 1
        return (rows["misled"] & (not self.budget.to_the_end)) | (rows["taken"] > self.budget.steps)


def _move(rows: Rows, gradient: Tensor, gap: Tensor, wrong: Tensor, threat: Threat) -> None:
    """To the plane between the two classes; from a wrong point first a tenth back to the original.

    `gap` is the target's logit less the label's at x. At the point that is drawn back it is told by the plane.
    """
    x, clean = rows["x"], rows["clean"]
    back = torch.where(per_row(wrong), clean + BACK * (x - clean), x)
    here = gap + row_sum(gradient * (back - x))
    there = gap + row_sum(gradient * (clean - x))
    both = torch.cat([back, clean])
    ways = to_plane(both, torch.cat([gradient, gradient]), torch.cat([here, there]), threat) - both
    own, origin = ways[: len(x)], ways[len(x) :]
    near, far = _size(own, threat), _size(origin, threat)
    share = per_row((near / (near + far).clamp_min(1e-12)).clamp(0.0, MOST_BACK))
    moved = (1 - share) * (back + BEYOND * own) + share * (clean + BEYOND * origin)
    rows["x"] = moved.clamp(0.0, 1.0)


def _size(change: Tensor, threat: Threat) -> Tensor:
    flat = change.flatten(1)
    return flat.abs().amax(1) if threat.norm == "linf" else flat.norm(dim=1)


def to_plane(points: Tensor, gradient: Tensor, gap: Tensor, threat: Threat) -> Tensor:
    """The nearest points in [0, 1] on the planes `gap + <gradient, z - point> = 0`, in the threat's norm.

    Every pixel moves at a speed of its own (1 for l-inf, its gradient's size for l2) until it meets the edge of [0, 1].
    By how much the gap is then closed is a concave, piecewise linear function of the time, so that Newton's method
    comes to the right time from below. Where the plane does not meet [0, 1], all pixels go to the edge.

    Args:
        points: in [0, 1], shape (n, 3, h, w).
        gradient: of the same shape.
        gap: shape (n,).
        threat: only its norm counts.
    """
    slope = -gap.sign().view(-1, 1) * gradient.flatten(1)  # the way that closes the gap
    flat = points.flatten(1)
    room = torch.where(slope > 0, 1 - flat, flat)
    speed = slope.abs() if threat.norm == "l2" else (slope != 0).to(slope.dtype)
    end = torch.where(speed > 0, room / speed.clamp_min(1e-30), torch.zeros_like(room))
    gain, wanted = slope.abs() * speed, gap.abs()
    time = torch.zeros_like(gap)
    for _ in range(NEWTON_STEPS):
        left = wanted - (gain * torch.minimum(end, time[:, None])).sum(1)
        rate = (gain * (end > time[:, None])).sum(1)
        moves = (rate > 0) & (left > NEAR_ENOUGH * wanted)  # a row that is there stays, whatever others need
        if not bool(moves.any()):
            break
        time = torch.where(moves, time + left / rate.clamp_min(1e-30), time)
    way = slope.sign() * speed * torch.minimum(end, time[:, None])
    return (flat + way).clamp(0.0, 1.0).view(points.shape)
