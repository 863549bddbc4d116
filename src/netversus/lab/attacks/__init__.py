"""Adversarial examples: images that a contender gets wrong, within a small distance of ones that it gets right.

    threat.py      what an attacker may do: the norm, eps, and what follows from them (projection, distance)
    victim.py      a contender as a function of pixels in [0, 1], its gradients, and the refusal of bad input
    targets.py     several wrong classes at once, with the outcome of one after the other
    rows.py        many images in work of one size; who is done makes room for the next
    draws.py       random numbers that depend on the image alone
    stepwise.py    FGSM and PGD
    apgd.py        Auto-PGD, on cross-entropy and on the targeted difference of logits
    fab.py         FAB, targeted: the nearest wrong answer
    square.py      Square: random squares, no gradients
    verify.py      what counts: recomputed in float32, within eps, in [0, 1]
    cascade.py     the attacks in order, each on the images that are still right
    symptoms.py    signs that an attack failed for the wrong reasons
    smoothing.py   a certified radius by randomized smoothing

Every attack is `attack(victim, images, labels, threat, budget, keys) -> candidates`: float32 images of the same shape.
A candidate is a claim; `verify` decides. What is found for an image depends on the image, its key and the network
alone, bit for bit on one machine: not on the images beside it.
"""
