"""One contender's trouble is its own; what was seen is kept; what is done is not done again."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from netversus.files import local as disk
from netversus.records import Done, Failed, Observations, Skipped

ALL = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_every_contender_is_measured_in_one_pass(counting, table, log: Path):
    counting()
    run = table()
    heard = run.execute()
    assert all(isinstance(outcome, Done) and outcome.observations == 6 for outcome in run.outcomes().values())
    assert [run.counted(name) for name in "abc"] == [ALL] * 3
    assert log.read_text().splitlines()[:4] == ["a 0", "b 0", "c 0", "a 1"]
    assert heard.steps[-1] == (6, 6)


def test_what_is_done_is_not_measured_again(counting, table, log: Path):
    counting()
    run = table()
    run.execute()
    before = log.read_text()
    assert run.execute().outcomes == {}
    assert log.read_text() == before


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("raise RuntimeError('the moon is full')", "RuntimeError: the moon is full"),
        ("raise MemoryError", "out of memory"),
        ("raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB')", "out of memory: CUDA"),
        ("torch.empty(2**55)", "out of memory"),
        ("raise OSError(errno.ENOSPC, 'No space left on device')", "the disk is full"),
        ("raise OSError(errno.EROFS, 'Read-only file system')", "cannot write"),
    ],
)
def test_a_failing_contender_leaves_the_others_alone(counting, table, trouble: str, said: str):
    counting(trouble)
    run = table()
    heard = run.execute()
    outcomes = run.outcomes()
    failed = outcomes["counting", "b"]
    assert isinstance(failed, Failed)
    assert said in failed.error
    assert "\n" not in failed.error
    assert "Traceback" in failed.details
    assert isinstance(outcomes["counting", "a"], Done)
    assert isinstance(outcomes["counting", "c"], Done)
    assert run.counted("a") == run.counted("c") == ALL
    assert run.counted("b") == ALL[:3]
    assert any("going on with each contender alone" in note for note in heard.notes)


SOUND = {"architecture": "resnet18"}
UNTIL_MENDED = "if not Path(str(LOG) + '.mended').exists(): raise RuntimeError('broken')"


def test_contenders_that_share_a_cell_are_measured_without_the_one_that_cannot_answer(counting, table, log: Path):
    counting(UNTIL_MENDED, more="together=True,")
    run = table(a=SOUND, b={"architecture": "resnet17"}, c=SOUND)
    heard = run.execute()
    (outcome,) = run.outcomes().values()
    assert isinstance(outcome, Failed)
    assert outcome.error.startswith("b: ")
    assert "resnet17" in outcome.error
    assert outcome.error.endswith("(the others are measured)")
    assert run.counted("a") == run.counted("c") == ALL
    assert run.counted("b") == ALL[:3]
    assert any(note.endswith("going on without b") for note in heard.notes)
    log.with_name("log.txt.mended").touch()
    log.write_text("")
    run.execute()
    assert isinstance(next(iter(run.outcomes().values())), Done)
    assert log.read_text().split() == ["b", "3", "b", "4", "b", "5"]


def test_a_shared_cell_fails_as_a_whole_where_each_answers_alone(counting, table):
    counting("raise RuntimeError('the moon is full')", more="together=True,")
    run = table(a=SOUND, b=SOUND, c=SOUND)
    heard = run.execute()
    (outcome,) = run.outcomes().values()
    assert isinstance(outcome, Failed)
    assert outcome.error == "RuntimeError: the moon is full"
    assert run.counted("c") == ALL[:3]
    assert heard.notes == []


def test_a_shared_cell_fails_as_a_whole_where_nobody_answers(counting, table):
    counting("raise RuntimeError('the moon is full')", more="together=True,")
    run = table()  # no such architectures
    run.execute()
    (outcome,) = run.outcomes().values()
    assert isinstance(outcome, Failed)
    assert outcome.error == "RuntimeError: the moon is full"


def test_a_failed_cell_is_tried_again_and_goes_on_where_it_stopped(counting, table, log: Path):
    counting(UNTIL_MENDED)
    run = table()
    run.execute()
    log.with_name("log.txt.mended").touch()
    log.write_text("")
    run.execute()
    assert isinstance(run.outcomes()["counting", "b"], Done)
    assert log.read_text().split("\n")[:-1] == ["b 3", "b 4", "b 5"]
    assert run.counted("b") == ALL


def test_a_full_disk_under_the_store_fails_the_cell_and_not_the_run(counting, table, monkeypatch: pytest.MonkeyPatch):
    counting(name="first")
    counting(name="second")
    run = table("a", "b", studies=("first", "second"))
    whole = disk.write_atomic

    def full(path: Path, content: bytes) -> None:
        if path.parent.name.startswith("first") and path.name.startswith("observations"):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        whole(path, content)

    monkeypatch.setattr(disk, "write_atomic", full)
    run.execute()
    for (study, _), outcome in run.outcomes().items():
        assert isinstance(outcome, Failed if study == "first" else Done)
        if isinstance(outcome, Failed):
            assert "the disk is full" in outcome.error


def test_a_disk_too_full_even_for_the_outcome_ends_the_run_in_order(counting, table, monkeypatch: pytest.MonkeyPatch):
    counting()
    run = table()

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(disk, "write_atomic", full)
    heard = run.execute()
    assert all("the disk is full" in o.error for o in heard.outcomes["counting"] if isinstance(o, Failed))
    assert len(heard.outcomes["counting"]) == 3
    assert set(run.outcomes().values()) == {None}


def test_a_file_that_the_system_refuses_to_let_grow_fails_its_cell_and_is_gone_on_with(counting, table):
    """A disk that is full for large files only: a limit of the system's own, so that it needs no mount."""
    counting("yield Artifact('curve.bin', bytes(2**21), card.name)")
    run = table()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        run.execute()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    failed = run.outcomes()["counting", "b"]
    assert isinstance(failed, Failed)
    assert failed.error.startswith("cannot write")
    assert "File too large" in failed.error
    assert isinstance(run.outcomes()["counting", "a"], Done)
    assert run.counted("b") == ALL[:3]
    assert not list(run.store.path.rglob(".*.tmp"))
    run.execute()
    assert all(isinstance(outcome, Done) for outcome in run.outcomes().values())
    assert [run.counted(name) for name in "abc"] == [ALL] * 3


def test_an_interrupt_keeps_what_was_seen_and_is_gone_on_with(counting, table, log: Path):
    counting("if not Path(str(LOG) + '.mended').exists(): raise KeyboardInterrupt")
    run = table()
    with pytest.raises(KeyboardInterrupt):
        run.execute()
    assert set(run.outcomes().values()) == {None}
    assert [len(run.counted(name)) for name in "abc"] == [4, 3, 3]
    log.with_name("log.txt.mended").touch()
    log.write_text("")
    run.execute()
    assert [run.counted(name) for name in "abc"] == [ALL] * 3
    assert log.read_text().splitlines()[0] == "b 3"
    assert "a 3" not in log.read_text()


def test_a_cell_that_the_plan_rules_out_is_skipped_with_its_reason(counting, table, log: Path):
    counting(more="needs=frozenset({Need.TRAINED_WEIGHTS}),")
    run = table()
    run.execute()
    for outcome in run.outcomes().values():
        assert isinstance(outcome, Skipped)
        assert "random weights and no study of this run trains it" in outcome.reason
    assert log.read_text() == ""


def test_what_needs_weights_that_could_not_be_trained_says_so(counting, table):
    counting("raise RuntimeError('no luck')", name="learning", more="weights='w.safetensors', seeded=True,")
    counting(name="counting", more="needs=frozenset({Need.TRAINED_WEIGHTS}),")
    run = table("a", "b", studies=("learning", "counting"))
    run.execute()
    outcomes = run.outcomes()
    assert isinstance(outcomes["counting", "a"], Done)
    skipped = outcomes["counting", "b"]
    assert isinstance(skipped, Skipped)
    assert skipped.reason == "it needs the weights of learning of b, which is not done"


def test_a_pass_of_all_together_fails_together(counting, table):
    counting("raise RuntimeError('broken')", more="together=True,")
    run = table("a", "b")
    run.execute()
    assert isinstance(run.outcomes()["counting", "a,b"], Failed)
    assert run.counted("a") == ALL[:4]


def test_a_study_that_yields_a_contender_that_is_not_its_own_fails_clearly(
    add_study: Callable[..., None], table, counting
):
    counting("yield Observations('stranger', 'count', ('n0',), (1.0,))")
    run = table()
    run.execute()
    assert any(
        isinstance(o, Failed) and "'stranger', which was not on its bench" in o.error for o in run.outcomes().values()
    )


def test_observations_refuse_values_without_units():
    with pytest.raises(ValueError, match="2 units but 1 values"):
        Observations("a", "m", ("u", "v"), (1.0,))
