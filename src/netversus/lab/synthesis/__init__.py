"""Pictures from networks: what a classifier takes for a class, and what its stages still know of an image.

objective.py   the terms that are minimised
paint.py       pictures of a class, from noise
ascend.py      pictures of a class, from its average image, for adversarially trained networks
restore.py     an image from the features of a stage
judge.py       how near two sets of pictures are, and how much the pictures of one set differ
"""
