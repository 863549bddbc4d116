"""Cells -> outcomes. `inprocess` and `worker` load torch; passes, listeners and the coordinator do not.

passes.py        cells that are measured together
listener.py      whom a run tells how far it is
executor.py      where passes run, as the user named it
inprocess.py     in this process
cluster.py       on worker processes, a Dask cluster or a queue's jobs: the place as a client
coordinator.py   what is sent there when, and what becomes of it
worker.py        a pass, on a worker
stopping.py      whether a verdict is certain yet
"""
