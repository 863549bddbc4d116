"""A view with everything that a report can be asked to show: each verdict, each kind of outcome, hostile names."""

from __future__ import annotations

import base64
import math
from dataclasses import replace
from itertools import combinations

import pytest

from netversus.exhibits import Block, Chart, Diagram, Gallery, Mark, Picture, Series, Table, Text
from netversus.records import (
    Cell,
    ContenderCard,
    DataCard,
    Direction,
    Done,
    Effect,
    Failed,
    Finding,
    Preprocessing,
    Question,
    Role,
    Scale,
    Session,
    Skipped,
    SkippedFile,
    Verdict,
)
from netversus.report.caveats import caveats
from netversus.report.flips import flips
from netversus.report.headline import headline, reasons
from netversus.report.view import ReportView, Section
from netversus.wording import expert_sentence, sentence

A, B = "resnet50@scratch", "resnet101@scratch"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA7ljmRAAAAFElEQVR4nGNgaPiPhBiQOSRxAAB0Kxvt0QhFawAAAABJRU5ErkJggg=="
)
RERUN = "netversus compare resnet50 resnet101 --data digits --seed 0 --budget 6m"


@pytest.fixture
def view() -> ReportView:
    return example_view()


@pytest.fixture
def view_of_many() -> ReportView:
    return example_of_many()


def example_view() -> ReportView:
    """Two contenders, four studies."""
    return _with_words(
        ReportView(
            run_id="resnet50-vs-resnet101-20251124-140312",
            created="2025-11-24T14:03:12+00:00",
            netversus_version="0.1.0",
            headline="",
            reasons=(),
            contenders=(_card(A, "resnet50"), _card(B, "resnet101")),
            data=_data(),
            level=0.95,
            seed=0,
            repeats=1,
            device="cpu",
            sections=(_structure(), _training(), _accuracy(), _speed()),
            sessions=_sessions(),
            rerun=RERUN,
            multiplicity=(
                "The primary question has the whole error rate. The 6 secondary questions share it (Bonferroni), "
                "and so do the slices: each interval is widened so that all of them hold together."
            ),
            budget=360.0,
            cuts=(
                "training: 3,072 of 10,000 samples a contender fit the budget",
                "accuracy: 797 of 5,000 test images fit the budget",
            ),
            margins={"accuracy.top1": 0.02},
        )
    )


def _with_words(view: ReportView) -> ReportView:
    """The view with the headline that its findings give."""
    asks = {(section.name, q.metric): q.asks for section in view.sections for q in section.questions}
    loose = sum(not isinstance(outcome, Done) for section in view.sections for _, outcome in section.cells)
    return replace(
        view,
        headline=headline(view.findings, view.data, view.level),
        reasons=reasons(view.findings, asks),
        caveats=caveats(view.findings, view.contenders, view.data, loose),
        flips=flips(view.findings),
    )


MANY = (
    "resnet18@scratch",
    "resnet50@scratch",
    "file:my <b>best</b> | net_[1](http://evil.example).pt",
    "hf:a/*b*_c_`d`",
)


def example_of_many() -> ReportView:
    """Four contenders, two of them with names that look like markup, on accuracy and speed."""
    view = example_view()
    accuracy, speed = view.sections[2], view.sections[3]
    top1, latency = accuracy.questions[0], speed.questions[0]
    level = dict(zip(MANY, (0.75, 0.82, 0.91, 0.915), strict=True))
    seconds = dict(zip(MANY, (0.004, 0.0116, 0.0209, 0.0145), strict=True))
    found = [
        make_finding("accuracy", top1, (level[a], level[b]), a=a, b=b, n=2000, **_judge(level[b] - level[a]))
        for a, b in combinations(MANY, 2)
    ]
    timed = [
        make_finding("speed", latency, (seconds[a], seconds[b]), a=a, b=b, n=40, **_time(seconds[b] / seconds[a]))
        for a, b in combinations(MANY, 2)
    ]

    def done(study: str) -> tuple[tuple[Cell, Done], ...]:
        return tuple((c := _cell(study, i, name), Done(c.key, 3.0, 2000)) for i, name in enumerate(MANY))

    return _with_words(
        replace(
            view,
            contenders=tuple(_card(name, name[:8]) for name in MANY),
            sections=(
                replace(accuracy, questions=(top1,), findings=tuple(found), exhibits=(), cells=done("accuracy")),
                replace(speed, questions=(latency,), findings=tuple(timed), exhibits=(), cells=done("speed")),
            ),
        )
    )


def _judge(gap: float) -> dict[str, object]:
    verdict = Verdict.EQUIVALENT if abs(gap) < 0.01 else Verdict.B_BETTER
    return {"effect": Effect(gap, gap - 0.012, gap + 0.012, 0.99), "verdict": verdict}


def _time(ratio: float) -> dict[str, object]:
    verdict = Verdict.A_BETTER if ratio > 1 else Verdict.B_BETTER
    return {"effect": Effect(ratio, 0.97 * ratio, 1.03 * ratio, 0.99), "verdict": verdict}


def _card(name: str, architecture: str) -> ContenderCard:
    return ContenderCard(
        name=name,
        spec=architecture,
        source="torchvision",
        architecture=architecture,
        weights="scratch",
        recipe="scratch",
        head="data",
        digest=f"{len(architecture):02d}c1b5e0f3a94d7786e2" * 3,
        preprocessing=Preprocessing(crop=32, resize=None),
        notes=("stride of the stem lowered for 32 px",) if architecture == "resnet101" else (),
    )


def _data() -> DataCard:
    return DataCard(
        name="digits",
        spec="digits",
        digest="5f2e" * 16,
        classes=(*"012345678", "nine | <b>9</b>"),
        splits={"train": 1000, "test": 797},
        image_size=32,
        factors=("brightness",),
        skipped=(
            SkippedFile("<script>alert(1)</script>.png", "zero bytes"),
            SkippedFile("train/=HYPERLINK(|evil|).jpg", "truncated after 812 bytes"),
            SkippedFile("train/two\nlines \u202egnp.exe", "not an image: its first bytes are those of a PE file"),
            SkippedFile("train/caf\udce9.png", "a name that is not UTF-8"),
        ),
        notes=("8 × 8 px originals, enlarged",),
    )


def _sessions() -> tuple[Session, ...]:
    versions = {"python": "3.11.9", "netversus": "0.1.0", "torch": "2.15.0", "torchvision": "0.29.0", "numpy": "2.3.4"}
    machine = {"system": "Linux 6.6.0", "processor": "Intel Xeon (Sapphire Rapids)", "cores": "2", "memory": "24 GiB"}
    return (
        Session("2025-11-24T14:03:12+00:00", RERUN, versions, machine),
        Session(
            "2025-11-24T15:40:02+00:00",
            "netversus compare --resume runs/resnet50-vs-resnet101-20251124-140312",
            {**versions, "torch": "2.15.1"},
            machine,
        ),
    )


def make_finding(study: str, question: Question, values: tuple[float, float], **changes: object) -> Finding:
    """A finding on a question, with the words that the analysis would give it."""
    finding = Finding(
        study=study,
        metric=question.metric,
        a=A,
        b=B,
        verdict=Verdict.UNDECIDED,
        role=question.role,
        scale=question.scale,
        direction=question.direction,
        unit=question.unit,
        paired_on=question.paired_on,
        n=1,
        value_a=values[0],
        value_b=values[1],
        effect=None,
        margin=question.margin,
        margin_declared=question.margin,
        method="compared directly",
        sentence="",
        expert="",
    )
    finding = replace(finding, **changes)  # type: ignore[arg-type]
    return replace(finding, sentence=sentence(finding), expert=expert_sentence(finding))


def _question(metric: str, asks: str, scale: Scale, direction: Direction, unit: str, **more: object) -> Question:
    return Question(metric, asks, scale, direction, unit, **{"paired_on": "contender", **more})  # type: ignore[arg-type]


def _cell(study: str, number: int, *contenders: str) -> Cell:
    return Cell(study, 1, contenders, 0, {"batch": 32}, f"{study}-{number:024d}", seconds=40.0)


def _done(study: str, observations: int, together: bool = False) -> tuple[tuple[Cell, Done], ...]:
    groups = ((A, B),) if together else ((A,), (B,))
    cells = (_cell(study, i, *group) for i, group in enumerate(groups))
    return tuple((cell, Done(cell.key, 38.2, observations)) for cell in cells)


def _structure() -> Section:
    lower = Direction.LOWER
    parameters = _question("parameters", "Which has fewer parameters?", Scale.FACT, lower, "parameters")
    macs = _question("macs", "Which multiplies less for one image?", Scale.FACT, lower, "MACs")
    depth = _question("depth", "How many weighted layers deep is each?", Scale.FACT, Direction.NEITHER, "layers")
    field = _question("field", "How far does the last layer see?", Scale.FACT, Direction.NEITHER, "px")
    findings = (
        make_finding("structure", parameters, (25_557_032, 44_549_160), verdict=Verdict.A_BETTER),
        make_finding("structure", macs, (4.089e9, 7.801e9), verdict=Verdict.A_BETTER),
        make_finding("structure", depth, (50, 101), verdict=Verdict.DESCRIBED),
        make_finding("structure", field, (483, 1027), verdict=Verdict.DESCRIBED),
    )
    stages = ("stem", "stage 1", "stage 2", "stage 3", "stage 4", "head")
    return Section(
        name="structure",
        question="How do the contenders differ as networks, and where?",
        questions=(parameters, macs, depth, field),
        findings=findings,
        exhibits=(
            Text("They are the same network but for stage 3, which holds 6 blocks in ResNet-50 and 23 in ResNet-101."),
            Diagram(
                title="Where the extra blocks are",
                rows=((A, _blocks(6, 0)), (B, _blocks(23, 17))),
                description="Stage 3 grows from 6 to 23 blocks; every other stage is the same in both.",
            ),
            Chart(
                title="Parameters by stage",
                kind="bar",
                x_label="stage",
                y_label="parameters (millions)",
                series=(
                    Series(A, stages, (0.01, 0.22, 1.22, 7.10, 14.96, 2.05)),
                    Series(B, stages, (0.01, 0.22, 1.22, 26.09, 14.96, 2.05)),
                ),
                description="All the additional parameters of ResNet-101 lie in stage 3.",
            ),
        ),
        cells=_done("structure", 4),
        rerun=f"{RERUN} --study structure",
        method="# structure\n\n**Method.** Counted by torch's own counter.\n\n- parameters\n- multiply-adds (He et al. 2016)",
    )


def _blocks(third: int, marked: int) -> tuple[Block, ...]:
    return (
        Block("stem", 1, "7 × 7, 64"),
        Block("stage 1", 3, "256 channels"),
        Block("stage 2", 4, "512 channels"),
        Block("stage 3", third, "1,024 channels", marked),
        Block("stage 4", 3, "2,048 channels"),
        Block("head", 1, "10 classes"),
    )


def _training() -> Section:
    time = _question(
        "train_time",
        "Which contender trains faster, per image?",
        Scale.RATIO,
        Direction.LOWER,
        "s",
        paired_on="round",
        margin=0.05,
    )
    gap = _question(
        "gap", "Which contender overfits less?", Scale.MEAN, Direction.LOWER, "%", paired_on="seed", margin=0.02
    )
    shown = tuple(float(512 * i) for i in range(1, 7))
    failed = _cell("training", 2, A, B)
    return Section(
        name="training",
        question="What does each contender learn from the same images, in the same order, under one recipe?",
        questions=(time, gap),
        findings=(
            make_finding(
                "training",
                time,
                (0.0412, 0.0731),
                n=6,
                effect=Effect(1.77, 1.69, 1.86, 0.9917),
                verdict=Verdict.A_BETTER,
                method="Hodges-Lehmann of log-ratios, Wilcoxon signed-rank interval",
                p_raw=0.03125,
                p_value=0.1875,
                caveats=("6 rounds cannot give a two-sided p below 0.031.",),
            ),
        ),
        exhibits=(
            Chart(
                title="Top-1 on the same test images while learning",
                kind="line",
                x_label="training images shown",
                y_label="top-1 (%)",
                series=(
                    _curve(A, shown, (31, 52, 66, 74, 80, 83.2), 4),
                    _curve(B, shown, (22, 45, 63, 73, 81, 84.1), 5),
                    Series("guessing", (512.0, 3072.0), (10.0, 10.0)),
                ),
                description="Both rise from near chance to above 80 %; their bands overlap from 1,500 images on.",
                y_from_zero=True,
            ),
            Chart(
                title="Loss at a higher learning rate",
                kind="line",
                x_label="training images shown",
                y_label="cross-entropy (nats)",
                series=(
                    Series(A, shown, (2.3, 2.0, 1.7, 1.5, 1.4, 1.3)),
                    Series(B, shown, (2.4, 2.6, math.nan, math.nan, math.nan, math.nan)),
                ),
                description="ResNet-101 diverges after 1,024 images.",
            ),
        ),
        cells=(
            *_done("training", 812),
            (failed, Failed(failed.key, "training left the real numbers at step 41", "Traceback <most recent>\n  x")),
        ),
        rerun=f"{RERUN} --study training",
    )


def _curve(name: str, x: tuple[float, ...], y: tuple[float, ...], spread: float) -> Series:
    return Series(name, x, y, tuple(v - spread for v in y), tuple(v + spread for v in y))


def _accuracy() -> Section:
    per_image = {"paired_on": "image"}
    top1 = _question(
        "top1",
        "Which contender's first answer is right more often?",
        Scale.PROPORTION,
        Direction.HIGHER,
        "%",
        **per_image,
        margin=0.02,
        role=Role.PRIMARY,
    )
    top5 = _question(
        "top5",
        "Whose five best answers hold the right one more often?",
        Scale.PROPORTION,
        Direction.HIGHER,
        "%",
        **per_image,
        margin=0.01,
    )
    nll = _question(
        "nll",
        "Who gives the right class more probability (negative log-likelihood)?",
        Scale.MEAN,
        Direction.LOWER,
        "nats",
        **per_image,
        margin=0.05,
    )
    ece = _question(
        "ece",
        "Whose confidence matches how often it is right (expected calibration error)?",
        Scale.AGGREGATE,
        Direction.LOWER,
        "%",
        **per_image,
        margin=0.02,
    )
    one_seed = (
        "1 training seed: this is about these two checkpoints, not about the architectures or the recipe; "
        "3 seeds at least would allow that."
    )
    whole = make_finding(
        "accuracy",
        top1,
        (0.832, 0.841),
        n=797,
        effect=Effect(0.009, -0.0061, 0.0242, 0.95),
        margin_declared=0.01,
        method="McNemar mid-p, Tango score interval",
        p_raw=0.241,
        p_value=0.241,
        further_units=1234,
        caveats=(one_seed, "The margin was 1 point when the run was planned and was changed later."),
    )
    marks = (Mark(2, 2, 12, 8, "3: 92 %", "right"), Mark(8, 6, 9, 9, "", "wrong"), Mark(20, 20, 8, 8, "9", "missed"))
    return Section(
        name="accuracy",
        question="Which contender classifies more images correctly, and whose confidence can be trusted?",
        questions=(top1, top5, nll, ece),
        findings=(
            whole,
            _slice(whole, "class: 7", (0.901, 0.914), Effect(0.0123, -0.06, 0.085, 0.99)),
            _slice(whole, "class: nine | <b>9</b>", (0.76, 0.81), Effect(0.05, -0.03, 0.13, 0.99)),
            make_finding(
                "accuracy",
                top5,
                (0.986, 0.9873),
                n=797,
                effect=Effect(0.00125, -0.0054, 0.0081, 0.9917),
                verdict=Verdict.EQUIVALENT,
                method="McNemar mid-p, Tango score interval",
                p_raw=0.6875,
                p_value=1.0,
                caveats=(one_seed,),
            ),
            make_finding(
                "accuracy",
                nll,
                (0.583, 0.494),
                n=797,
                effect=Effect(-0.0889, -0.1437, -0.0321, 0.9917),
                verdict=Verdict.B_BETTER,
                method="paired Bayesian bootstrap, 2000 draws",
                p_raw=0.0004,
                p_value=0.0024,
                caveats=(one_seed,),
            ),
        ),
        exhibits=(
            Table(
                title="Each contender's own top-1",
                columns=("contender", "seed", "images", "top-1 (%)", "95 % interval", "p, above 10.0 %"),
                rows=((A, "0", 797, 83.2, "[80.4, 85.7]", 1e-200), (B, "0", 797, 84.1, "[81.3, 86.5]", None)),
                formats=("", "", ",d", ".1f", "", ".2g"),
                note="Overlapping intervals do not mean that two contenders are equal: the paired difference decides.",
            ),
            Chart(
                title="Top-1 by class",
                kind="dot",
                x_label="class",
                y_label="top-1 (%)",
                series=(
                    _curve(A, ("3", "7", "nine | <b>9</b>"), (80.1, 90.1, 76.0), 6),  # type: ignore[arg-type]
                    _curve(B, ("3", "7", "nine | <b>9</b>"), (79.5, 91.4, 81.0), 6),  # type: ignore[arg-type]
                ),
                description="The two are closest on 3 and furthest apart on 9; every pair of intervals overlaps.",
            ),
            Gallery(
                title="Where they disagree",
                pictures=(
                    make_picture("a three", "three: A is right", ("only A is right", "class 3")),
                    make_picture("a nine", "<b>nine</b>: B is right", ("only B is right", "class <b>9</b>")),
                    make_picture("another nine", "nine: B is right", ("only B is right", "class <b>9</b>")),
                ),
                note="Of the first mistakes of each.",
            ),
            Gallery(
                title="Boxes of both",
                pictures=tuple(make_picture(f"boxes {i}", "", (), marks[:i]) for i in range(4)),
                columns=(A, B),
            ),
        ),
        cells=_done("accuracy", 4782),
        rerun=f"{RERUN} --study accuracy",
        method="# accuracy\n\nEach image is shown to every contender. See [Brier](https://example.org/brier) <b>1950</b>.",
    )


def make_picture(alt: str, caption: str, tags: tuple[str, ...], marks: tuple[Mark, ...] = ()) -> Picture:
    """A picture of 32 x 24 px."""
    return Picture(PNG, alt, 32, 24, caption, marks, tags)


def _slice(whole: Finding, name: str, values: tuple[float, float], effect: Effect) -> Finding:
    part = replace(
        whole, slice=name, role=Role.DESCRIPTIVE, n=81, value_a=values[0], value_b=values[1], effect=effect, caveats=()
    )
    return replace(part, sentence=sentence(part), expert=expert_sentence(part))


def _speed() -> Section:
    block = {"paired_on": "timing block", "margin": 0.05}
    latency = _question(
        "latency", "Which contender answers faster, one image at a time?", Scale.RATIO, Direction.LOWER, "s", **block
    )
    throughput = _question(
        "throughput", "Which does more images a second?", Scale.RATIO, Direction.HIGHER, "images/s", **block
    )
    both = (A, B)
    skipped = _cell("speed", 1, *both)
    return Section(
        name="speed",
        question="Which contender is faster on this machine?",
        questions=(latency, throughput),
        findings=(
            make_finding(
                "speed",
                latency,
                (0.01163, 0.02094),
                n=40,
                effect=Effect(1.80, 1.71, 1.91, 0.9917),
                verdict=Verdict.A_BETTER,
                method="Hodges-Lehmann of log-ratios, Wilcoxon signed-rank interval",
                p_raw=1.8e-12,
                p_value=1.1e-11,
                caveats=("neighbouring blocks resemble each other (autocorrelation 0.41): the interval is too narrow",),
            ),
        ),
        exhibits=(),
        cells=(*_done("speed", 80, together=True), (skipped, Skipped(skipped.key, "the machine is not quiet"))),
        rerun=f"{RERUN} --study speed",
    )
