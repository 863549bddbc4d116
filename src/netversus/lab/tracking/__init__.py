"""Tracking by detection: from boxes, and what a contender sees in them, to tracks, and what the tracks are worth.

tracks.py        the tracks of a sequence, and what there truly is
judge.py         counts of HOTA, CLEAR MOT and Identity, as TrackEval counts
results.py       files of results in MOTChallenge's format, read strictly and written
given.py         boxes that stand in for a detector's: true ones, moved and dropped
detected.py      the boxes that a contender's own detector finds
least.py         how sure a detector must be of a box for it to be tracked
association.py   boxes to tracks by place and by appearance
library.py       boxes to tracks by a tracker of the library `trackers`, without appearance
appearance.py    what a contender sees in a box
film.py          a short animation of a sequence with its tracks
"""
