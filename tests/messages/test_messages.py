"""Saying, joining, and telling again what was stored."""

from __future__ import annotations

from pathlib import Path
from string import Formatter

import pytest

from netversus.errors import OptionError
from netversus.messages import (
    LANGUAGES,
    catalogue,
    clauses,
    in_a_row,
    language,
    listed,
    noted,
    predicates,
    say,
    sentences,
    speaking,
    template,
    told,
)
from netversus.messages.catalogues import STORED, catalogue_sections
from netversus.messages.spacing import spaced
from netversus.quantities import (
    amount,
    counted,
    difference,
    duration,
    interval_text,
    margin_text,
    percent,
    plural,
    times,
)
from netversus.records import Effect, Scale


def test_english_is_said_as_it_is_written():
    assert language() == "en"
    assert say("{best} is better than {other}", best="a", other="b") == "a is better than b"
    assert say("a set {of braces} without values") == "a set {of braces} without values"
    assert template("{n} images") == "{n} images"


def test_the_language_is_that_of_the_innermost_with():
    with speaking("zh"):
        assert language() == "zh"
        with speaking("en"):
            assert say("undecided") == "undecided"
        assert say("undecided") == "未决"
    assert language() == "en"


def test_the_language_is_restored_after_an_error():
    with pytest.raises(RuntimeError), speaking("zh"):
        raise RuntimeError
    assert language() == "en"


def test_what_the_catalogue_lacks_is_said_in_english():
    with speaking("zh"):
        assert say("no catalogue holds {this}", this="sentence") == "no catalogue holds sentence"


def test_a_language_that_does_not_exist_is_one_line():
    with pytest.raises(OptionError, match="one of en, zh, got 'fr'"), speaking("fr"):
        pass


def test_each_language_has_a_catalogue():
    assert catalogue("en") == {}
    assert all(catalogue(language) for language in LANGUAGES if language != "en")


@pytest.mark.parametrize(
    ("words", "english", "chinese"),
    [([], "", ""), (["A"], "A", "A"), (["A", "B"], "A and B", "A 和 B"), (["A", "B", "C"], "A, B and C", "A、B 和 C")],
)
def test_a_list_in_words(words: list[str], english: str, chinese: str):
    assert listed(words) == english
    with speaking("zh"):
        assert listed(words) == chinese


def test_predicates_of_one_subject_are_joined_otherwise_than_names():
    assert predicates(["is faster", "has fewer parameters"]) == "is faster and has fewer parameters"
    with speaking("zh"):
        assert predicates(["更快", "参数更少"]) == "更快，参数更少"


def test_rows_clauses_and_sentences_are_joined_as_the_language_does():
    def joined() -> tuple[str, str, str]:
        return in_a_row(["A", "B"]), clauses(["a", "b"]), sentences("Yes.", "", "No.")

    assert joined() == ("A, B", "a; b", "Yes. No.")
    with speaking("zh"):
        assert joined() == ("A、B", "a；b", "Yes.No.")


@pytest.mark.parametrize(
    ("template", "value", "said"),
    [
        ("小于 {x} 则无关紧要", "1 个百分点", "小于 1 个百分点则无关紧要"),
        ("小于 {x} 则无关紧要", "3 ms", "小于 3 ms 则无关紧要"),
        ("{x}有 3 个", "阶段 3", "阶段 3 有 3 个"),
        ("{x}有 3 个", "输出头", "输出头有 3 个"),
        ("数据：{x}。", "我的 数据", "数据：我的 数据。"),
        ("可能为 {x}。", "（未测）", "可能为（未测）。"),
        ("[{x}, 2]", "−1", "[−1, 2]"),
        ("占{x:.1f}%，其余", 3.25, "占 3.2%，其余"),
        ("{x}", "", ""),
    ],
)
def test_the_space_about_a_gap_follows_what_fills_it(template: str, value: object, said: str):
    assert spaced(template, {"x": value}) == said


def test_what_fills_a_gap_is_left_as_it_is():
    name = "模型A （v2） 与 B"
    assert name in spaced("选用{x}。", {"x": name})


# What is stored


def test_what_is_stored_is_english_in_any_language():
    with speaking("zh"):
        assert noted("{contender} does not fit in memory", contender="A") == "A does not fit in memory"


def test_a_stored_sentence_is_told_in_the_language_in_force():
    stored = noted("{data} has no {split} split", data="digits", split="train")
    assert told(stored) == stored
    with speaking("zh"):
        assert told(stored) == "digits 没有 train 划分"


def test_a_sentence_within_a_stored_sentence_is_told_too():
    problem = noted("{contender} does not fit in memory", contender="resnet50")
    point = noted("Batch {batch} at {side}", batch=8, side="64 px")
    stored = noted("{point} was left out for all: {problem}.", point=point, problem=problem)
    with speaking("zh"):
        assert told(stored) == "所有模型都略去批大小 8（64 px）：resnet50 内存不足。"


def test_what_no_template_fits_is_told_as_it_is():
    with speaking("zh"):
        for text in ("RuntimeError: 3 points of failure are too few", "", "}{", "class:", "many points"):
            assert told(text) == text


def test_what_somebody_else_named_keeps_its_name():
    with speaking("zh"):
        assert told("head") == "输出头"
        assert told("class: head") == "类别：head"
        assert told(noted("{contender} does not fit in memory", contender="steps")) == "steps 内存不足"


def test_a_comma_alone_makes_no_template_fit():
    with speaking("zh"):
        for text in ("(64, 3, 7, 7)", "cat, dog", "narrow, wide"):
            assert told(text) == text
        assert (
            told("paired Bayesian bootstrap, 100 draws, sign-flip test") == "配对贝叶斯自助法，100 次抽样，符号翻转检验"
        )
        assert told("(os.system, a list)") == "(os.system, 列表)"


def test_a_shape_is_not_cut_at_its_commas():
    shapes = {"name": "'w'", "shape": (10, 64), "architecture": "resnet18", "expected": (1000, 512)}
    stored = noted("tensor {name} has shape {shape}, {architecture} has {expected}", **shapes)
    with speaking("zh"):
        assert told(stored) == "张量 'w' 的形状为 (10, 64)，resnet18 的为 (1000, 512)"


def test_a_gap_named_n_holds_a_number_only():
    with speaking("zh"):
        assert told("1.5 points") == "1.5 个百分点"
        assert told("−1,000 points") == "−1,000 个百分点"
        assert told("talking points") == "talking points"


def test_every_stored_sentence_is_recognised_with_what_its_gaps_held():
    """Each template, filled, gives its own translation, filled alike: none is hidden by one that is less particular."""
    sections = catalogue_sections("zh")
    entries = [each for name, section in sections.items() if name.startswith(STORED) for each in section.items()]
    wrong = []
    with speaking("zh"):
        for english, translation in entries:
            gaps = dict.fromkeys(gap for _, gap, *_ in Formatter().parse(english) if gap)
            values = {gap: f"{7 + i}" if gap == "n" else f"Ω{7 + i}" for i, gap in enumerate(gaps)}
            expected = translation.format(**values) if values else translation
            stored = noted(english, **values)
            if stored != told(stored) != expected:
                wrong.append((stored, told(stored), expected))
    assert wrong == []


# Quantities


def test_quantities_follow_the_language():
    effect = Effect(0.013, 0.006, 0.02, 0.95)
    with speaking("zh"):
        assert amount(0.8324, "%") == "83.2%"
        assert amount(0.0392, "s") == "39.2 ms"
        assert amount(85.94, "images/s") == "85.9 张/秒"
        assert amount(101.0, "layers") == "101 层"
        assert difference(-0.012, "%") == "−1.2 个百分点"
        assert interval_text(effect, Scale.PROPORTION, "%") == "[+0.6, +2.0] 个百分点"
        assert interval_text(Effect(1.5, 1.4, 1.6, 0.95), Scale.RATIO, "s") == "[1.40, 1.60] 倍"
        assert margin_text(0.01, Scale.PROPORTION, "%") == "1 个百分点"
        assert margin_text(0.05, Scale.RATIO, "s") == "5%"
        assert times(1.4666) == "1.47 倍"
        assert counted(5000, "image") == "5,000 张图像"
        assert counted(1, "timing block") == "1 个计时块"
        assert plural(3, "class") == "个类别"
        assert percent(0.25) == "25%"
        assert [duration(s) for s in (0.2, 41, 360, 6000, 7200)] == [
            "不到 1 秒", "41 秒", "6 分钟", "1 小时 40 分钟", "2 小时"]  # fmt: skip


def test_a_unit_of_somebody_else_s_study_is_no_template():
    assert amount(2.0, "{x}") == "2 {x}"
    assert difference(2.0, "}") == "+2 }"
    assert counted(2, "{x}") == "2 {x}s"


def test_the_catalogue_is_a_file_of_the_package():
    import netversus.messages

    assert (Path(netversus.messages.__file__).parent / "zh.toml").is_file()
