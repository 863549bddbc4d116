"""A claims file is read strictly: what is wrong with it is one line that names the file and the claim."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from netversus.claims import Kind, Region, Rule, read_claims, read_figures
from netversus.errors import OptionError

GOOD = """
[source]
title = "a datasheet"
where = "page 3"

[subjects]
small = ["resnet50", "tv_resnet50"]

[[claim]]
id = "accurate"
text = "It is accurate."
data = ["imagenet-1k"]

[[claim.measured]]
question = "accuracy.top1"
value_of = "small"
about = "79.1 %"
within = 0.005

[[claim.published]]
metric = "top1"
also = ["top5"]
better = "resnet101"
than = "small"
by = "1 %"
tolerance = "0.5 %"
rule = "most"

[[claim]]
id = "nice"
text = "It is nice."
not_checkable = "Nice names no measure."
"""

HEAD = '[source]\ntitle = "t"\n[[claim]]\nid = "c"\ntext = "T."\n'
MEASURED = '[[claim.measured]]\nquestion = "accuracy.top1"\n'
PUBLISHED = '[[claim.published]]\nmetric = "top1"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "claims.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_claims_file_becomes_claims(tmp_path: Path):
    accurate, nice = read_claims(written(tmp_path, GOOD))
    here, cited = accurate.bindings
    assert (here.question, here.comparison.kind, here.comparison.subject) == ("accuracy.top1", Kind.VALUE, "small")
    assert here.region == Region(pytest.approx(0.786), pytest.approx(0.796))
    assert not cited.measured
    assert cited.region == Region(0.01, inf)
    assert (cited.tolerance, cited.rule, cited.also) == (0.005, Rule.MOST, ("top5",))
    assert accurate.data == ("imagenet-1k",)
    assert accurate.source.where == "page 3"
    assert nice.not_checkable
    assert not nice.bindings


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "give bindings (measured, published), or say why it is not_checkable"),
        (f'not_checkable = "no"\n{MEASURED}value_of = "x"\nat_least = 1', "give bindings"),
        (MEASURED, "a binding takes exactly one of"),
        (f'{MEASURED}value_of = "x"\nbetter = "x"\nthan = "y"', "exactly one of"),
        (f'{MEASURED}value_of = "x"', "say at_least, at_most or both; or about and within"),
        (f'{MEASURED}value_of = "x"\nabout = 1', "about and within go together"),
        (f'{MEASURED}value_of = "x"\nat_least = 2\nat_most = 1', "at_least 2 is more than at_most 1"),
        (f'{MEASURED}value_of = "x"\nat_least = "much"', "measured.0.at_least: input should be a valid number"),
        (f'{MEASURED}value_of = "x"\nat_least = nan', "finite number"),
        (f'{MEASURED}better = "x"', "better and than go together"),
        (f'{MEASURED}better = "x"\nthan = "x"', "'x' is compared with itself"),
        (f'{MEASURED}better = "x"\nthan = "y"\nat_least = 1', "better takes by, and no limits"),
        (f'{MEASURED}spread_of = "x"\nat_least = 1', "spread_of is for published figures"),
        (f'{MEASURED}gap = ["x"]\nat_least = 1', "measured.0.gap"),
        ('[[claim.measured]]\nquestion = "top1"\nvalue_of = "x"\nat_least = 1', "measured.0.question"),
        (f'{PUBLISHED}better = "x"\nthan = "y"\nrule = "reached"', "the rule reached goes with value_of"),
        (f'{PUBLISHED}better = "x"\nthan = "y"\nrule = "mostly"', "published.0.rule"),
        (f'{PUBLISHED}better = "x"\nthan = "y"\nmargin = 1', "there is no setting 'published.0.margin'"),
    ],
)
def test_a_claim_that_does_not_fit_is_named_in_one_line(tmp_path: Path, body: str, said: str):
    path = written(tmp_path, HEAD + body)
    with pytest.raises(OptionError) as caught:
        read_claims(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: claim 'c': ")
    assert said.lower() in line.lower()
    assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not toml", "is not valid TOML"),
        ('[source]\ntitle = "t"', "holds no claim"),
        ('claim = "c"\n[source]\ntitle = "t"', "holds no claim"),
        (GOOD.replace("[source]", "[sources]"), "there is no table 'sources' (did you mean source"),
        (GOOD.replace('title = "a datasheet"', ""), "source: title: field required"),
        (GOOD.replace('id = "nice"', 'id = "accurate"'), "claim 'accurate' stands there twice"),
        (GOOD.replace('id = "nice"', 'id = "not nice"'), "claim 'not nice': id"),
        (GOOD.replace('id = "nice"', ""), "claim 2: id: field required"),
        (GOOD.replace('["resnet50", "tv_resnet50"]', '"resnet50"'), "subjects.small must be a list"),
    ],
)
def test_a_file_that_holds_no_claims_is_refused_in_one_line(tmp_path: Path, text: str, said: str):
    path = written(tmp_path, text)
    with pytest.raises(OptionError) as caught:
        read_claims(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str):
    with pytest.raises(OptionError, match="cannot read"):
        read_claims(tmp_path / name)


def test_figures_in_percent_are_stored_as_fractions(tmp_path: Path):
    text = """
        [source]
        title = "a table"
        where = "page 1"
        [[figure]]
        metric = "top1"
        data = "imagenet-1k"
        unit = "%"
        values = { resnet50 = 76.130 }
        where = "page 2"
        [[figure]]
        metric = "latency"
        data = "imagenet-1k"
        unit = "s"
        direction = "lower"
        values = { resnet50 = 0.014865 }
    """
    percent, seconds = read_figures(written(tmp_path, text))
    assert percent.values == {"resnet50": pytest.approx(0.7613)}
    assert percent.source.where == "page 2"
    assert seconds.values == {"resnet50": 0.014865}
    assert seconds.source.where == "page 1"


@pytest.mark.parametrize("values", ["{}", "{ resnet50 = nan }", '{ resnet50 = "much" }'])
def test_a_figure_without_a_number_is_refused(tmp_path: Path, values: str):
    path = written(tmp_path, f'[source]\ntitle = "t"\n[[figure]]\nmetric = "m"\ndata = "d"\nvalues = {values}')
    with pytest.raises(OptionError, match=r"figure 1: values"):
        read_figures(path)
