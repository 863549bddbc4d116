"""Object detectors on any contender's backbone: built, trained, asked and judged.

found.py        what was detected on a picture, and COCO result files
judge.py        detections matched to what there is, by hotcoco
errors.py       what is wrong with each detection
pictures.py     pictures with boxes as tensors, decoded once
pyramid.py      a contender's stages as a feature pyramid
detector.py     Faster R-CNN and RetinaNet on such a pyramid
training.py     a detector in training
ready.py        detectors that come trained
ask.py          the detections of a detector

`found`, `judge` and `errors` load no torch.
"""
