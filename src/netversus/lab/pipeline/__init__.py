"""From files to batches of pixels: decoded once, ahead of the computing, in bounded memory that is used again.

decoders.py   how a JPEG becomes an image, behind one protocol
method.py     one image to the pixels that each preprocessing shows, exactly or fast
parity.py     how far a fast method is from the exact one on the user's own images, and which may be used
memory.py     memory that is used again once nobody holds it
prefetch.py   threads that prepare the next batches while the last is computed
transfer.py   pixels on their way to an accelerator, beside the computing
"""
