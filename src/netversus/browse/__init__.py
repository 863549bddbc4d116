"""Looking at runs, from the outside and without touching them: what a run is doing now, and pages that show it.

    live.py          a run folder that another process writes -> what it has done, how long it will take
    interim.py       what is known of the primary question before it may be judged
    read_only.py     files of a folder that cannot be written, and in which no link is followed
    shelf.py         a folder -> the runs in it
    so_far.py        a run -> its report, without verdicts on what is still being measured
    differences.py   two runs -> what is not the same in them
    pages.py         all of that -> HTML
    guard.py         who may ask, for what, and what the browser may do with the answer
    site.py          addresses -> pages; serving.py: a socket and a server

Loads no torch. Only `guard`, `site` and `serving` need the extra `netversus[serve]`.
"""
