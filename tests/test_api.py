"""What `import netversus as nv` offers, from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import netversus as nv
from netversus.records import Finding

TINY = ("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch")
QUICK = {
    "training": {"samples": 64, "rounds": 2, "curve_images": 20},
    "accuracy": {"images": 120},
}


def quick(out: Path, **settings: object) -> nv.Run:
    return nv.compare(*TINY, studies=["training", "accuracy"], seed=0, options=QUICK, out=out, **settings)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> nv.Run:
    return quick(tmp_path_factory.mktemp("api") / "run")


def test_a_comparison_from_python_gives_findings_a_table_and_a_report(run: nv.Run, tmp_path: Path):
    assert run.complete
    assert all(isinstance(finding, Finding) for finding in run.findings)
    (top1,) = [f for f in run.findings if f.metric == "top1" and not f.slice]
    assert (top1.n, top1.a, top1.b) == (120, *TINY)
    assert isinstance(top1.verdict, nv.Verdict)
    assert "| top1 |" in run.table().replace("**", "") or "top1" in run.table()
    assert run.report(tmp_path / "r.md").read_text().startswith("# ")
    assert run.report() == run.path / "report.html"


def test_a_stored_run_opens_with_the_same_findings(run: nv.Run):
    assert nv.open_run(run.path).findings == run.findings
    assert nv.open_run(str(run.path)).path == run.path


def test_the_same_comparison_is_not_measured_again(run: nv.Run):
    before = {f: f.stat().st_mtime_ns for f in run.path.glob("cells/*/*.parquet")}
    assert quick(run.path).findings == run.findings
    assert {f: f.stat().st_mtime_ns for f in run.path.glob("cells/*/*.parquet")} == before


def test_the_same_seed_gives_the_same_observations_elsewhere(run: nv.Run, tmp_path: Path):
    again = quick(tmp_path / "again")
    timed = {"train_time"}
    assert [f for f in again.findings if f.metric not in timed] == [f for f in run.findings if f.metric not in timed]


@pytest.mark.parametrize(
    ("contenders", "settings", "said"),
    [
        (("resnet50", "resnet50"), {}, "resnet50 was named twice"),
        (("resnet50",), {}, "contenders"),
        (("resnet5o", "resnet101"), {}, "did you mean resnet50"),
        ((), {"studies": ["acuracy"]}, "did you mean accuracy"),
        ((), {"repeat": 3}, "there is no setting 'repeat'"),
        ((), {"level": 95}, "level"),
        ((), {"data": "digit"}, "did you mean digits"),
    ],
)
def test_a_mistake_is_one_line(contenders: tuple[str, ...], settings: dict[str, object], said: str):
    with pytest.raises(nv.NetversusError) as caught:
        nv.compare(*contenders, **settings)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_run_is_refused(tmp_path: Path):
    with pytest.raises(nv.NetversusError, match="is not a run folder"):
        nv.open_run(tmp_path)


@pytest.mark.parametrize(("study", "trains"), [("factors", True), ("training", True), ("structure", False)])
def test_a_budget_times_a_training_step_wherever_something_is_trained(
    study: str, trains: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A study that trains and leaves no weights is one too: without its rate its trials would be planned as free."""
    seen: dict[str, object] = {}

    class EnoughError(Exception):
        pass

    def calibrate(*_: object, **asked: object) -> None:
        seen.update(asked)
        raise EnoughError

    monkeypatch.setattr("netversus.lab.calibration.calibrate", calibrate)
    options = {"training": {"precision": "bfloat16"}} if study == "training" else {}
    with pytest.raises(EnoughError):
        nv.compare(
            "py:tiny_nets:narrow@scratch",
            "py:tiny_nets:wide@scratch",
            studies=(study,),
            budget="5s",
            options=options,
            out=tmp_path / "run",
        )
    assert seen["train"] is trains
    recipe = seen["recipe"]
    assert (recipe is not None and recipe.precision == "bfloat16") == (study == "training")


def test_the_package_offers_what_it_says_and_nothing_else():
    for name in nv.__all__:
        assert getattr(nv, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'comapre'"):
        nv.comapre  # noqa: B018
