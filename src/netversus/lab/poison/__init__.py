"""Training data that somebody tampered with, and the defences that look for it.

choice       which images are tampered with: it follows from (seed, image id) alone
noise        wrong labels, symmetric and asymmetric
triggers     what is put into an image: a patch, a blended pattern, a smooth warp
attacks      the backdoors that are planted with them
features     what a network knows of images, for the defences that look there
spectral     spectral signatures (Tran et al. 2018)
clusters     activation clustering (Chen et al. 2018)
strip        STRIP (Gao et al. 2019)
cleanse      Neural Cleanse (Wang et al. 2019)
"""
