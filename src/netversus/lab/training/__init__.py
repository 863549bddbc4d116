"""The training engine: one plain loop for every contender, data order a pure function of the seed, exact resume.

Kept on purpose without a framework: what is compared must be readable. Optimisers, schedules, augmentations and
averages are torch's, torchvision's and timm's. `recipe` loads no torch, so that a study can declare its options.
"""
