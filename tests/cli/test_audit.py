"""`netversus audit`: claims in, verdicts and an exit code out, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from netversus.claims import article

GOLDEN = Path(__file__).parents[1] / "golden" / "run"
EXAMPLE = Path(__file__).parents[2] / "examples" / "acceptance.toml"
NARROW, WIDE = "py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch"
RUN = ("--run", str(GOLDEN))


def claims_file(folder: Path, *least: str) -> str:
    """Claims that the wide network's top-1, 30 % of 300 images, is at least so much."""
    entries = [
        f'[[claim]]\nid = "c{i}"\ntext = "At least {each}."\n[[claim.measured]]\nquestion = "accuracy.top1"\n'
        f'value_of = "{WIDE}"\nat_least = "{each}"\n'
        for i, each in enumerate(least)
    ]
    path = folder / "claims.toml"
    path.write_text('[source]\ntitle = "criteria"\n' + "".join(entries))
    return str(path)


def test_the_article_is_audited_where_no_claims_are_named(netversus):
    ended = netversus("audit", *RUN)
    assert ended.code == 0, ended.err
    for claim in article():
        assert f"{claim.id}: {claim.english}"[:60] in ended.out
    assert f"Of {len(article())} claims:" in ended.out


def test_the_run_may_come_first_as_elsewhere(netversus, tmp_path: Path):
    claims = claims_file(tmp_path, "20 %")
    assert netversus("audit", str(GOLDEN)) == netversus("audit", *RUN)
    assert netversus("audit", str(GOLDEN), claims) == netversus("audit", claims, *RUN)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "netversus audit RUN [CLAIMS.toml]"),
        (("nowhere",), "nowhere is not a run folder"),
        (("one", "claims.toml", "--run", "other"), "one and --run other both name a run"),
    ],
)
def test_a_run_that_is_not_named_or_twice_is_one_line(netversus, arguments: tuple[str, ...], said: str):
    ended = netversus("audit", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_an_audit_loads_no_torch():
    script = (
        "import sys\nfrom netversus.cli.__main__ import main\n"
        f"code = main(['audit', '--run', {str(GOLDEN)!r}])\nsys.exit(code or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("least", "gate", "code"),
    [
        (("20 %",), "supported", 0),
        (("20 %", "30 %"), "supported", 4),
        (("20 %", "30 %"), "contradicted", 0),
        (("20 %", "30 %", "50 %"), "supported", 3),
        (("50 %",), "contradicted", 3),
        (("50 %",), "", 0),
    ],
)
def test_the_exit_code_is_what_the_gate_asks(netversus, tmp_path: Path, least: tuple[str, ...], gate: str, code: int):
    flags = ("--gate", gate) if gate else ()
    assert netversus("audit", claims_file(tmp_path, *least), *RUN, *flags).code == code


def test_what_was_not_measured_does_not_pass_the_strict_gate(netversus):
    assert netversus("audit", str(EXAMPLE), *RUN, "--gate", "supported").code == 4


def test_what_a_claim_says_cannot_command_the_terminal(netversus, tmp_path: Path):
    path = Path(claims_file(tmp_path, "20 %"))
    path.write_text(path.read_text().replace('text = "', 'text = "\\u001b[2J[red]'))
    ended = netversus("audit", str(path), *RUN)
    assert ended.code == 0
    assert "\x1b" not in ended.out
    assert "[2J[red]" in ended.out


def test_the_caveats_of_the_findings_are_repeated(netversus, tmp_path: Path):
    ended = netversus("audit", claims_file(tmp_path, "20 %"), *RUN)
    assert "Before believing what was measured: 1 training seed" in ended.out
    assert "Before believing" not in netversus("audit", str(EXAMPLE), *RUN).out  # the run holds none of its contenders


def test_markdown_and_json_hold_every_judgement(netversus, tmp_path: Path):
    targets = [tmp_path / "audit.md", tmp_path / "audit.json"]
    ended = netversus("audit", *RUN, "--out", str(targets[0]), "--out", str(targets[1]))
    assert ended.code == 0, ended.err
    assert ended.out.split()[-2:] == [str(target) for target in targets]
    document = json.loads(targets[1].read_text(encoding="utf-8"))
    assert document["data"] == "digits"
    assert [each["id"] for each in document["judgements"]] == [claim.id for claim in article()]
    markdown = targets[0].read_text(encoding="utf-8")
    assert all(f"| {claim.id} |" in markdown for claim in article())


def test_json_traces_each_number_to_its_finding_or_figure(netversus, tmp_path: Path):
    target = tmp_path / "audit.json"
    assert netversus("audit", claims_file(tmp_path, "20 %"), *RUN, "--out", str(target)).code == 0
    (judgement,) = json.loads(target.read_text())["judgements"]
    (evidence,) = judgement["measured"]["evidence"]
    assert evidence["finding"] == {"study": "accuracy", "metric": "top1", "a": NARROW, "b": WIDE}
    assert evidence["figures"] == []
    assert judgement["published"] == {"verdict": None, "missing": [], "evidence": []}


def test_data_that_the_user_vouches_for_decide_a_claim_about_them(netversus, tmp_path: Path):
    path = Path(claims_file(tmp_path, "20 %"))
    path.write_text(path.read_text().replace('id = "c0"', 'id = "c0"\ndata = ["imagenet-1k"]'))
    assert netversus("audit", str(path), *RUN, "--gate", "supported").code == 4
    assert netversus("audit", str(path), *RUN, "--gate", "supported", "--data-is", "imagenet-1k").code == 0


def test_figures_of_one_s_own_stand_beside_the_built_in_ones(netversus, tmp_path: Path):
    claims = tmp_path / "claims.toml"
    claims.write_text(
        '[source]\ntitle = "a paper"\n[[claim]]\nid = "c"\ntext = "T."\n[[claim.published]]\nmetric = "own"\n'
        'value_of = "net"\nat_least = 3\n'
    )
    figures = tmp_path / "figures.toml"
    figures.write_text('[source]\ntitle = "a table"\n[[figure]]\nmetric = "own"\ndata = "x"\nvalues = { net = 4 }\n')
    refused = netversus("audit", str(claims), *RUN)
    assert refused.code == 2
    assert "no published figure of own" in refused.err
    assert netversus("audit", str(claims), *RUN, "--figures", str(figures), "--gate", "supported").code == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("accuracy.top1", "accuracy.top_1"), "did you mean accuracy.top1"),
        (("value_of", "value"), "there is no setting"),
        (("[source]", "[source"), "is not valid TOML"),
    ],
)
def test_a_mistake_in_the_claims_is_one_line_and_exit_2(netversus, tmp_path: Path, change: tuple[str, str], said: str):
    path = Path(claims_file(tmp_path, "20 %"))
    path.write_text(path.read_text().replace(*change, 1))
    ended = netversus("audit", str(path), *RUN)
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--out", "audit.html"), ".md or .json"),
        (("--gate", "never"), "contradicted"),
        (("--lang", "fr"), "en, zh"),
        (("--figures", "missing.toml"), "cannot read"),
    ],
)
def test_a_wrong_flag_is_one_line_and_exit_2(netversus, flags: tuple[str, ...], said: str):
    ended = netversus("audit", *RUN, *flags)
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_the_four_questions_are_answered_instead(netversus, tmp_path: Path):
    shown = netversus("audit", *RUN, "--faq")
    assert shown.code == 0
    assert shown.out.count("\n**") + shown.out.count("How secure are") == 4
    target = tmp_path / "faq.json"
    assert netversus("audit", *RUN, "--faq", "--out", str(target)).code == 0
    answers = json.loads(target.read_text())["faq"]
    assert len(answers) == 4
    assert answers[0]["statements"][0]["finding"]["study"] in {"training", "accuracy"}
