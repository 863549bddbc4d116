"""FAB, targeted (Croce and Hein 2020, "Minimally distorted adversarial examples with a fast adaptive boundary attack").

The boundary between the label and one wrong class is taken as the plane that the gradient says, the image is projected
on it within [0, 1], and steps are drawn towards the original, so that what is found is near. It knows no eps: one that
is given only tells when to stop.
"""

from __future__ import annotations

import torch
from torch import Tensor

from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.losses import difference, nth_rival
from netversus.lab.attacks.rows import Rows, advance
from netversus.lab.attacks.threat import Threat, per_row, row_sum
from netversus.lab.attacks.victim import Victim, chunk_for

# The paper's: at most a tenth of the way is drawn to the original, 5 % beyond the plane, a tenth back once it is wrong.
MOST_BACK, BEYOND, BACK = 0.1, 1.05, 0.9
NEWTON_STEPS = 12  # of a piecewise linear equation; what they fall short of, the next pass makes up


def fab_t(
    victim: Victim, images: Tensor, labels: Tensor, threat: Threat, budget: Budget, keys: Tensor, rank: int = 0
) -> Tensor:
    """The nearest wrong point found towards the `rank`-th of the wrong classes; the image itself where there is none.

    An image is done as soon as a wrong point lies within eps, unless `to_the_end`.
    """
    del keys  # it begins at the image itself
    if not len(images):
        return images.clone()
    n, device = len(images), images.device
    state: Rows = {
        "clean": images,
        "labels": labels,
        "targets": nth_rival(victim.exact(images).to(device), labels, rank),
        "x": images.clone(),
        "best": images.clone(),
        "nearest": torch.full((n,), torch.inf, dtype=torch.float64, device=device),
        "taken": torch.zeros(n, dtype=torch.int64, device=device),
    }

    def step(rows: Rows) -> Tensor:
        gradient, logits, gap = victim.gradient(rows["x"], rows["labels"], difference(rows["targets"]))
        wrong = logits.argmax(1) != rows["labels"]
        away = threat.distance(rows["x"], rows["clean"])
        nearer = wrong & (away < rows["nearest"])
        rows["best"] = torch.where(per_row(nearer), rows["x"], rows["best"])
        rows["nearest"] = torch.where(nearer, away, rows["nearest"])
        _move(rows, gradient, gap, wrong, threat)
        rows["taken"] = rows["taken"] + 1
        enough = (rows["nearest"] <= threat.eps) & (not budget.to_the_end)
        return enough | (rows["taken"] > budget.steps)

    return advance(state, step, chunk_for(*images.shape[-2:]))["best"]


def _move(rows: Rows, gradient: Tensor, gap: Tensor, wrong: Tensor, threat: Threat) -> None:
    """To the plane between the two classes; from a wrong point first a tenth back to the original.

    `gap` is the target's logit less the label's at x. At the point that is drawn back it is told by the plane.
    """
    x, clean = rows["x"], rows["clean"]
    back = torch.where(per_row(wrong), clean + BACK * (x - clean), x)
    here = gap + row_sum(gradient * (back - x))
    there = gap + row_sum(gradient * (clean - x))
    own = to_plane(back, gradient, here, threat) - back
    origin = to_plane(clean, gradient, there, threat) - clean
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
    gain = slope.abs() * speed
    time = torch.zeros_like(gap)
    for _ in range(NEWTON_STEPS):
        moving = end > time[:, None]
        closed = (gain * torch.minimum(end, time[:, None])).sum(1)
        rate = (gain * moving).sum(1)
        left = gap.abs() - closed
        time = torch.where((rate > 0) & (left > 0), time + left / rate.clamp_min(1e-30), time)
    way = slope.sign() * speed * torch.minimum(end, time[:, None])
    return (flat + way).clamp(0.0, 1.0).view(points.shape)
