"""MOTChallenge ground truth (Milan et al. 2016): SPLIT/SEQUENCE/img1/NUMBER.jpg, gt/gt.txt, seqinfo.ini.

A line of gt.txt is: frame, id, left, top, width, height, 1, class, visibility. Frames, ids, classes and pixels count
from 1. Boxes are around the whole object, hidden parts too, cut at the frame; labels.txt names the classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netversus.lab.data.export.encoding import SUFFIX, save
from netversus.lab.data.scenes import CLASSES, Sequence, Sequences
from netversus.lab.data.scenes.render import Seen

FRAME_RATE = 30


def write_mot(splits: Mapping[str, Sequences], out: Path, image: str) -> int:
    """Every sequence of every split; the number of images written."""
    (out / "labels.txt").write_text("".join(f"{name}\n" for name in CLASSES), encoding="utf-8")
    written = 0
    for split, sequences in splits.items():
        for index in range(len(sequences)):
            sequence = sequences.sequence(index)
            _write_sequence(sequence, out / split / sequence.name, image)
            written += len(sequence)
    return written


def _write_sequence(sequence: Sequence, folder: Path, image: str) -> None:
    suffix = SUFFIX[image]
    lines: list[str] = []
    for number, picture in enumerate(sequence, start=1):
        save(picture.image, folder / "img1" / f"{number:06d}{suffix}", image)
        lines += [_line(number, seen) for seen in picture.objects]
    (folder / "gt").mkdir()
    (folder / "gt" / "gt.txt").write_text("".join(lines), encoding="utf-8")
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={sequence.name}\nimDir=img1\nframeRate={FRAME_RATE}\nseqLength={len(sequence)}\n"
        f"imWidth={sequence.size}\nimHeight={sequence.size}\nimExt={suffix}\n",
        encoding="utf-8",
    )


def _line(frame: int, seen: Seen) -> str:
    left, top, right, bottom = seen.whole_box
    place = f"{left + 1:g},{top + 1:g},{right - left:g},{bottom - top:g}"
    return f"{frame},{seen.track + 1},{place},1,{seen.label + 1},{seen.visibility:.4f}\n"
