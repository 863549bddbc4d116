"""What the commands say in Chinese holds no English but names, settings, formats and code; in English they say what they
said, and what machines read is the same in any language."""

from __future__ import annotations

import io
import json
import re
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image
from rich.console import Console

from cli.conftest import TINY, Ended, netversus  # noqa: F401 -- a fixture
from cli.test_power import Stored, stored  # noqa: F401 -- a fixture
from netversus.cli.planned import print_plan
from netversus.cli.progress import PlainListener, RichListener
from netversus.cli.scan import _line
from netversus.cli.study_options import described
from netversus.execute.passes import Pass
from netversus.lab.artifacts.scan import scan_file
from netversus.lab.training.checkpoint import Checkpoints
from netversus.messages import language, speaking, told
from netversus.plan import Plan, make_plan
from netversus.records import ContenderCard, DataCard, Done, Failed, Progress, Rates, Skipped
from netversus.request import make_request
from netversus.studies import find_studies

from .test_rendered import english
from .test_rendered_rooms import COMMAND, is_chinese

Run = Callable[..., Ended]

ARTIFACTS = Path(__file__).parents[1] / "lab" / "artifacts"
METRICS = {question.metric for study in find_studies().values() for question in study.questions}
PACKAGES = {"picklescan", "strict", "torchvision", "timm", "trackers", "scikit-learn", "oneDNN", "autocast"}
FORMATS = {"pickle", "zip", "safetensors", "zlib", "gzip", "bz2", "xz", "lzma", "joblib", "zfile", "npy", "tar", "npz"}
FORMATS |= {"TorchScript", "Keras", "Latin-1", "memo", "Zstandard", "Linux", "Python", "Parquet", "GGUF", "HDF5"}
KNOWN = {
    *(*METRICS, *PACKAGES, *FORMATS, *find_studies(), "train", "test", "scratch", "token", "none", "no", "logit"),
    *("compare", "narrow", "wide", "calibration", "eager", "adamw", "run", "resnet18", "MemoryError", "sums"),
}


def left(text: str) -> dict[str, list[str]]:
    """The lines in which English words are left, with those words; what is quoted is what somebody else wrote."""
    found = {}
    for line in text.splitlines():
        said = re.sub(r"'[^']*'|\"[^\"]*\"", " ", COMMAND.sub(" ", line))
        found[line] = [word for word in english(said) if word not in KNOWN]
    return {line: words for line, words in found.items() if words}


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen on which no cell of a table is cut within a word."""
    for module in ("compare", "doctor", "inspect_data", "list", "power"):
        monkeypatch.setattr(f"netversus.cli.{module}.console", lambda: Console(highlight=False, width=2000))


def in_chinese(run: Run, *arguments: str, code: int = 0) -> str:
    """What a command says in Chinese, which holds no English."""
    ended = run(*arguments, "--lang", "zh")
    assert ended.code == code, ended.err
    assert is_chinese(ended.out)
    assert left(ended.out + ended.err) == {}
    assert language() == "en"
    return ended.out


# compare


def screen() -> Console:
    return Console(file=io.StringIO(), width=400, highlight=False, color_system=None)


def written(console: Console) -> str:
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", console.file.getvalue())  # type: ignore[attr-defined]


@pytest.fixture
def plan(make_card: Callable[..., ContenderCard], data_card: DataCard) -> Plan:
    """One that a budget has cut, and of which a cell is not run."""
    cards = [make_card(name) for name in ("narrow", "wide")]
    rates = {card.name: Rates(0.01, 0.03, 10**6, measured=False) for card in cards}
    request = make_request({"contenders": ["narrow", "wide"], "studies": ("training", "accuracy"), "budget": "20s"})
    made = make_plan(request, cards, data_card, rates, "cpu")
    assert made.cuts
    first, *others = made.cells
    return replace(made, cells=(replace(first, blocked="digits has no train split"), *others))


def test_a_plan_is_told_in_chinese(plan: Plan):
    """Few cells, and many; a plan that was calibrated here, and one for a nominal machine."""
    measured = {name: replace(rate, measured=True) for name, rate in plan.rates.items()}
    many = replace(plan, cells=tuple(replace(cell, seed=seed) for cell in plan.cells for seed in range(30)))
    for each in (plan, replace(plan, rates=measured), many):
        console = screen()
        with speaking("zh"):
            print_plan(console, each)
        assert left(written(console)) == {}
        assert "缩减       " in written(console)
        assert "不运行：digits 没有 train 划分" in written(console)
    assert "0 至 29" in written(console)


def test_a_plan_in_english_is_what_it_was(plan: Plan):
    console = screen()
    print_plan(console, plan)
    lines = written(console).splitlines()
    assert lines[0] == "contender  narrow: narrow, weights scratch"
    assert [line for line in lines if line.startswith("cut        ")] == [f"cut        {cut}" for cut in plan.cuts]
    assert re.fullmatch(
        r"in all     \d+ s \(for a nominal machine; a budget calibrates this one first\), memory [\d.]+ \w?i?B, "
        r"disk [\d.]+ \w?i?B",
        lines[-1],
    )


LINES = (
    "run folder: runs/1",
    "planned: 4 cells, about 20 s",
    "cut to fit the budget: ",
    "[1/2] accuracy of narrow, wide, about 20 s",
    "         5 of 20 images (25 %), ",
    "         5 of 20 (25 %), ",
    "done     accuracy of narrow: 20 observations, 3 s",
    "FAILED   accuracy of wide: MemoryError",
    "skipped  accuracy of wide: digits has no train split",
    "accuracy of narrow, wide: MemoryError; going on with each contender alone",
    "accuracy of narrow, wide, seed 1: MemoryError; going on with each contender alone",
    "accuracy of narrow: MemoryError; going on without wide",
    "accuracy: decided after 64 of 797 images",
)


def watched(listener: PlainListener, plan: Plan) -> None:
    """All that a listener may have to tell."""
    cells = [replace(cell, seconds=10.0, seed=0) for cell in plan.cells if cell.study == "accuracy"]
    work = Pass(tuple(cells))
    with listener:
        listener.opened("runs/1")
        listener.planned(replace(plan, cost=replace(plan.cost, seconds=20.0), cells=plan.cells[:4]))
        listener.started(work, 1, 2)
        for what in ("images", ""):
            listener._last = -1e6
            listener.progressed(work, Progress(5, 20, what))
        listener.ended(work, Done(cells[0].key, 3.0, 20), 3.0)
        listener.ended(work, Failed(cells[1].key, "MemoryError"), 3.0)
        listener.ended(work, Skipped(cells[1].key, "digits has no train split"), 0.0)
        listener.noted(work.going_on_alone("MemoryError"))
        listener.noted(Pass(tuple(replace(cell, seed=1) for cell in cells)).going_on_alone("MemoryError"))
        listener.noted("accuracy of narrow: MemoryError; going on without wide")
        listener.noted("accuracy: decided after 64 of 797 images")


def test_progress_in_english_is_what_it_was(plan: Plan):
    console = screen()
    watched(PlainListener(console), plan)
    lines = iter(written(console).splitlines())
    for expected in LINES:
        assert any(line.startswith(expected) for line in lines), expected


@pytest.mark.parametrize("kind", [PlainListener, RichListener])
def test_progress_is_told_in_chinese_while_what_is_stored_stays_english(kind: type[PlainListener], plan: Plan):
    console = screen()
    watched(kind(console, "zh"), plan)
    said = written(console)
    assert left(said) == {}
    assert "已规划：4 个测量单元，约需 20 秒" in said
    assert "accuracy（narrow, wide）：MemoryError；改为逐个模型单独继续" in said
    assert kind is RichListener or "图像数：5/20（25%），还需" in said
    assert language() == "en"


def test_what_each_study_calls_its_steps_is_told_in_chinese():
    """The words of `Progress` in the sources are `noted`, so that the catalogue holds them."""
    sources = Path(sys.modules["netversus"].__file__ or "").parent
    told_of = [path for path in sources.rglob("*.py") if path.parent.name != "execute"]
    calls = [
        call for path in told_of for call in re.findall(r"yield Progress\((?:[^()]|\([^()]*\))*\)", path.read_text())
    ]
    assert len(calls) > 30
    assert [call for call in calls if "noted(" not in call] == []


def test_a_comparison_and_its_interruption_are_told_in_chinese(
    netversus: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    quick = ("--study", "structure", "--data", "digits?size=16")
    assert "合计" in in_chinese(netversus, "compare", *TINY, *quick, "--dry-run")
    said = in_chinese(netversus, "compare", *TINY, *quick, "--out", "run")
    assert "完成     structure" in said
    assert "报告：run/report.zh.html" in said
    stored_words = (tmp_path / "run" / "findings.json").read_text(encoding="utf-8")
    assert not is_chinese(stored_words)
    monkeypatch.setattr("netversus.cli.compare.resume", _interrupted)
    in_chinese(netversus, "compare", "--resume", "run", code=130)


def _interrupted(run: str, *, listener: PlainListener, **_: object) -> None:
    listener.opened(run)
    raise KeyboardInterrupt


# power


@pytest.mark.parametrize(
    "asked",
    [
        ("--gap", "1,2"),
        ("--unit", "seeds", "--deviation", "1"),
        ("--unit", "sequences", "--deviation", "4"),
        ("--unit", "blocks", "--deviation", "3"),
    ],
)
def test_what_a_comparison_needs_is_told_in_chinese(netversus: Run, asked: tuple[str, ...]):  # noqa: F811
    said = in_chinese(netversus, "power", *asked)
    assert "置信水平 95%，检验功效 80%" in said
    plain = netversus("power", *asked, "--json")
    assert netversus("power", *asked, "--json", "--lang", "zh") == plain


def test_what_it_was_estimated_from_is_told_in_chinese(netversus: Run, stored: Callable[..., Stored]):  # noqa: F811
    made = stored("training", "accuracy", weights="scratch", repeats=2)
    chance = np.random.default_rng(0)
    for seed in range(2):
        for name, level in (("a", 0.6), ("b", 0.7)):
            made.observe("accuracy", name, "top1", (chance.random(200) < level).astype(float).tolist(), seed)
    assert "a / b：accuracy.top1，基于 200 张图像、2 个随机种子" in in_chinese(netversus, "power", made.store.place)
    seeds = in_chinese(netversus, "power", made.store.place, "--unit", "seeds")
    assert "a / b：accuracy.top1，基于每个模型 2 个随机种子" in seeds


# list and doctor


@pytest.mark.parametrize("what", ["engines", "data", "contenders"])
def test_what_there_is_is_listed_in_chinese(netversus: Run, what: str):  # noqa: F811
    pattern = ("wide_resnet",) if what == "contenders" else ()
    ended = netversus("list", what, *pattern, "--lang", "zh")
    assert ended.code == 0
    rows = [line.split("│") for line in ended.out.splitlines() if "│" in line]
    said = [row[{"engines": 3, "data": 2, "contenders": 3}[what]] for row in rows]
    names = {"tar", "ONNX", "Runtime", "OpenVINO", "TensorRT", "channels-last", "bf16", "fp32", "fp16", "CUDA", "graph"}
    names |= {"Hugging", "Face", "MOTChallenge", "val", "COCO", "UCI"}
    words = [word for text in said for word in english(text) if word not in names | KNOWN]
    assert what == "contenders" or words == []
    assert left("\n".join(line for line in ended.out.splitlines() if "│" not in line and "OWNER" not in line)) == {}


def test_the_studies_their_questions_and_options_are_listed_in_chinese(netversus: Run):  # noqa: F811
    said = netversus("list", "studies", "--lang", "zh").out
    for study in find_studies().values():
        with speaking("zh"):
            assert f"{study.name}：" in said
        assert study.question not in said
        for question in study.questions:
            assert question.asks not in said
        for _, _, text in described(study.options):
            assert text not in said
    assert all(is_chinese(line) for line in said.splitlines() if line.lstrip().startswith("--"))


def test_the_machine_is_told_in_chinese(netversus: Run, monkeypatch: pytest.MonkeyPatch):  # noqa: F811
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setattr("netversus.cli.doctor.extras", lambda: {"onnx": ["onnx", "absent-package"]})
    said = netversus("doctor", "--lang", "zh").out
    for words in (
        "处理器",
        "核数",
        "可选依赖 onnx",
        "缺少 absent-package：pip install 'netversus[onnx]'",
        "请取消该设置",
    ):
        assert words in said
    titles = [line for line in said.splitlines() if "│" not in line or "THP" in line or "GLIBC" in line]
    assert left(re.sub(r"glibc\.[\w.=]+", " ", "\n".join(titles))) == {}


# scan


def builder(name: str) -> object:
    """A builder of model files beside the tests of the scan, which are no package."""
    sys.path.insert(0, str(ARTIFACTS))
    try:
        return __import__(name)
    finally:
        sys.path.remove(str(ARTIFACTS))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Hostile files of every kind, and honest ones."""
    base = tmp_path_factory.mktemp("corpus")
    (base / "canaries").mkdir()
    hostile = builder("hostile_corpus")
    files = hostile.corpus(base / "canaries")  # type: ignore[attr-defined]
    hostile.write(files, base / "files")  # type: ignore[attr-defined]
    with warnings.catch_warnings(action="ignore"):
        honest = builder("honest_corpus").write(base / "honest")  # type: ignore[attr-defined]
    return [*(base / "files" / each.name.replace(".", "_") / each.name for each in files), *map(Path, honest)]


def test_all_evidence_is_told_in_chinese(corpus: list[Path]):
    """Each line in English is what it was; each has a sentence in Chinese, that says as much in numbers."""
    untold, unlike = [], []
    for path in corpus:
        for finding in scan_file(path, digest=False).findings:
            assert _line(finding) == str(finding)
            with speaking("zh"):
                if not is_chinese(told(finding.what)):
                    untold.append(finding.what)
                if _numbers(told(finding.what)) != _numbers(finding.what):
                    unlike.append((finding.what, told(finding.what)))
    assert untold == []
    assert unlike == []


def _numbers(text: str) -> list[str]:
    return sorted(re.findall(r"\d+", text))


def test_a_scan_is_told_in_chinese(netversus: Run, tmp_path: Path):  # noqa: F811
    good = tmp_path / "good.safetensors"
    safetensors.numpy.save_file({"conv1.weight": np.ones((2, 3), np.float32)}, good)
    (tmp_path / "page.pt").write_text("<html>")
    (tmp_path / "empty.pt").touch()
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        archive.writestr("../a.py", "x")
    (tmp_path / "sums").write_text(f"{'0' * 64}  good.safetensors\n")
    names = ("good.safetensors", "page.pt", "empty.pt", "odd.zip")
    said = in_chinese(netversus, "scan", *names, "--digests", "sums", code=3)
    assert "good.safetensors：可疑（safetensors、104 字节、1 个张量共 6 个元素）" in said
    assert "page.pt：可疑（未知、6 字节）" in said
    assert "恶意：条目 '../a.py' 指向压缩包之外" in said
    said = in_chinese(netversus, "scan", "good.safetensors", "--expect", "resnet18", code=3)
    assert "张量 'conv1.weight' 的形状为 (2, 3)，resnet18 的为 (64, 3, 7, 7)" in said
    told_in = [netversus("scan", *names, "--json", "--lang", lang) for lang in ("en", "zh")]
    seconds = re.compile(r'"seconds": [\d.]+')
    assert seconds.sub("", told_in[0].out) == seconds.sub("", told_in[1].out)
    assert told_in[0].code == told_in[1].code == 3


# inspect-data


def test_what_is_wrong_with_data_is_told_in_chinese(netversus: Run, tmp_path: Path):  # noqa: F811
    chance = np.random.default_rng(0)
    for number in range(24):
        kind, light = ("cat", 60) if number % 2 else ("dog", 190)
        (tmp_path / "pets" / kind).mkdir(parents=True, exist_ok=True)
        pixels = (light + chance.integers(-50, 50, (24, 24, 3))).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pets" / kind / f"{number:02d}.png")
    (tmp_path / "pets" / "cat" / "torn.png").write_bytes(b"torn")
    ended = netversus("inspect-data", "folder:pets", "--out", "zh.json", "--lang", "zh")
    said = ended.out + ended.err
    assert (
        left(re.sub(r"^(无法读取：cat/torn.png（).*", r"\1）", said, flags=re.MULTILINE)) == {}
    )  # an error is English
    assert re.search(r"24 张图像中有 \d 张可疑", said)
    assert "标签由分类器根据缩小的灰度图判断，它与 100.0% 的标签一致" in said
    assert "无法读取：cat/torn.png（" in said
    assert netversus("inspect-data", "folder:pets", "--out", "en.json").code == 0
    english_file, other = ((tmp_path / name).read_text() for name in ("en.json", "zh.json"))
    assert english_file == other
    assert json.loads(other)["notes"] == [
        "labels were judged from small grey copies, by a classifier that agrees with 100.0 % of the labels"
    ]


# train


def test_a_training_is_told_in_chinese_and_its_card_is_not(netversus: Run, tmp_path: Path):  # noqa: F811
    asked = ("train", "timm:test_resnet?stages=1", "--out", "t", "--set", "epochs=0.1", "--set", "batch=32")
    said = in_chinese(netversus, *asked)
    for words in ("步，损失", "test 划分上的 top-1：", "已写入 t/model.safetensors", "作为参评模型：file:t/"):
        assert words in said
    assert not is_chinese((tmp_path / "t" / "README.md").read_text(encoding="utf-8"))
    assert "已经训练完毕" in in_chinese(netversus, *asked)


def test_a_damaged_checkpoint_is_told_in_chinese(tmp_path: Path):
    lines: list[str] = []
    kept = Checkpoints(tmp_path, {}, warn=lines.append)
    kept.save(1, {})
    for file in tmp_path.rglob("*.pt"):
        file.write_bytes(b"damaged")
    assert kept.newest("cpu") is None  # type: ignore[arg-type]
    with speaking("zh"):
        assert [told(line).endswith("：退回到前一个检查点") for line in lines] == [True]


@pytest.mark.parametrize(
    "arguments",
    [
        ("doctor",),
        ("list", "data"),
        ("power",),
        ("scan", "x.pt"),
        ("inspect-data", "digits"),
        ("train", "resnet18", "--out", "x"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_an_unknown_language_is_refused_in_one_line(netversus: Run, arguments: tuple[str, ...]):  # noqa: F811
    ended = netversus(*arguments, "--lang", "fr")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "netversus: a report is written in one of en, zh, got 'fr'\n"
