"""Object detectors on any contender's backbone: built, trained, asked and judged.

recipe.py       how a detector is made and trained: options
found.py        what was detected on a picture, and COCO result files
matching.py     detections matched to objects, as pycocotools matches them
judge.py        all that is kept of the matches, compared with hotcoco
errors.py       what is wrong with each detection
pictures.py     pictures with boxes as tensors, decoded once
pyramid.py      a contender's stages as a feature pyramid
detector.py     Faster R-CNN and RetinaNet on such a pyramid
training.py     a detector in training
own.py          a contender's own detector, trained within a run and resumed
cost.py         what training and asking one costs
told.py         what a report tells of the detectors that were trained
ready.py        detectors that come trained
ask.py          the detections of a detector

`recipe`, `found`, `matching`, `judge`, `errors`, `cost` and `told` load no torch.
"""
