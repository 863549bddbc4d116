"""Where torch lives: contenders, data, preprocessing, devices, evaluation, training.

`netversus.lab.data` and the resolving half of `netversus.lab.contenders` load no torch, so that a plan can be
printed without it.
"""
