"""Paired statistics on numpy and scipy; knows nothing of models.

`comparison` is the door that the analysis uses; the other files hold one noun each.
"""
