"""The pickle machine beside CPython's own: the same names, whatever the bytes; and it never falls over."""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netversus.lab.artifacts.compressed import compression
from netversus.lab.artifacts.findings import BrokenError, Budget, Findings, OutOfBudgetError, Verdict
from netversus.lab.artifacts.kinds import Scanner
from netversus.lab.artifacts.machine import Machine, Scene
from netversus.lab.artifacts.names import judge

sys.path.insert(0, str(Path(__file__).parent))
import hostile_corpus as whole

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.builds(OrderedDict, st.dictionaries(st.text(max_size=5), inner, max_size=3))
    ),
    max_leaves=15,
)


def findings_of(data: bytes, **settings_: object) -> Findings:
    found = Findings()
    Scanner(found, Budget(**settings_)).scan(memoryview(data))
    return found


@settings(max_examples=100, deadline=None)
@given(PLAIN, st.integers(0, 5))
def test_plain_data_are_clean_in_every_protocol(value, protocol: int):
    found = Findings()
    data = memoryview(pickle.dumps(value, protocol))
    _, end = Machine(data, Scene(found, Budget())).run(0)
    assert found.verdict is Verdict.CLEAN, found.lines
    assert end == len(data)


class Recording(pickle.Unpickler):
    """CPython's C unpickler, which writes down what it would import and gets a harmless stand-in."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.names: set[tuple[str, str]] = set()  # as written, and as Python 3 names it in protocols 0 to 2

    def find_class(self, module: str, name: str) -> object:
        old = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        self.names.add((f"{module}.{name}", ".".join(old)))
        return lambda *_, **__: SimpleNamespace()

    def persistent_load(self, pid: object) -> object:
        return pid


MATERIAL = [
    pickle.dumps(OrderedDict(a=[1, 2.5, "x"], b={"c": (None, b"y", {3})}), protocol) for protocol in range(6)
] + [
    b"\x80\x04\x8c\x02os\x94\x8c\x05mkdir\x94\x93\x94)R.",
    b"(cos\nmkdir\nS'x'\no.",
    b"\x80\x02cos\nmkdir\nq\x00h\x00.",
]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(MATERIAL), st.data())
def test_what_cpython_would_import_is_always_seen(data: bytes, draw):
    """Mutated pickles: whatever CPython's unpickler imports before it ends or breaks, the machine has named."""
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(changed) - 1))
        changed[at] = draw.draw(st.integers(0, 255) | st.sampled_from(b"cio0123Rb.\x81\x93\x94q"))
    reader = Recording(bytes(changed))
    with contextlib.suppress(Exception):  # damaged on purpose
        reader.load()
    found = Findings()
    try:
        Machine(memoryview(bytes(changed)), Scene(found, Budget())).run(0)
    except BrokenError:
        found.add(Verdict.DAMAGED, "broken")
    # Where a frame ends within a name, CPython's C code forgets the part before: another name, and never clean here.
    told = any("is computed" in line.what or "frame" in line.what for line in found.lines)
    assert told or all(set(either) & set(found.globals) for either in reader.names)
    if found.verdict is Verdict.CLEAN:
        assert all(judge(*new.rsplit(".", 1))[0] is Verdict.CLEAN for _, new in reader.names)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_bytes_make_the_scan_fall_over(draw):
    material = [whole.torch_zip(whole.honest_data(), {"0": bytes(16)}), whole.legacy(whole.honest_data(old=True)),
                whole.onnx(), whole.npy("<f4", (4,), bytes(16)), whole.oldest("x"),
                whole.tensors_header({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, bytes(16))]  # fmt: skip
    data = bytearray(draw.draw(st.sampled_from(material)))
    for _ in range(draw.draw(st.integers(0, 6))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.integers(0, len(data)))
    with contextlib.suppress(BrokenError, OutOfBudgetError):
        findings_of(bytes(data[:cut]) if draw.draw(st.booleans()) else bytes(data), seconds=10)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("collections.OrderedDict", Verdict.CLEAN),
        ("torch._utils._rebuild_tensor_v2", Verdict.CLEAN),
        ("torch.BFloat16Storage", Verdict.CLEAN),
        ("builtins.eval", Verdict.HOSTILE),
        ("posix.system", Verdict.HOSTILE),
        ("collections.namedtuple", Verdict.HOSTILE),
        ("numpy.f2py.crackfortran.getlincoef", Verdict.HOSTILE),
        ("torch._inductor.codecache.compile_file", Verdict.HOSTILE),
        ("torch.os.system", Verdict.HOSTILE),
        ("numpy.__builtins__", Verdict.HOSTILE),
        ("torchvision.models.resnet.ResNet", Verdict.SUSPICIOUS),
        ("__main__.Net", Verdict.SUSPICIOUS),
        ("__torch__.Net", Verdict.SUSPICIOUS),
    ],
)
def test_a_global_is_judged_by_a_list_of_what_is_allowed(name: str, kind: Verdict):
    module, _, last = name.rpartition(".")
    if name == "torch.os.system":
        module, last = "torch", "os.system"
    assert judge(module, last)[0] is kind


def test_an_old_pickle_is_not_taken_for_a_compressed_stream():
    """Its first two characters pass the checksum that a zlib header has."""
    data = b"(S'x'\nios\nmkdir\n."
    assert (data[0] << 8 | data[1]) % 31 == 0
    assert compression(data) == ""
    assert findings_of(data).verdict is Verdict.HOSTILE


def test_evidence_names_the_opcode_s_place_and_what_would_be_called():
    found = findings_of(whole.stream(b"N0" + whole.touch("/tmp/x")))
    (named, called) = [str(line) for line in found.sorted()]
    assert named == "hostile: names os.mkdir, a function of Python itself, which no data needs (byte 4)"
    assert called == "hostile: would call os.mkdir with ('/tmp/x') by REDUCE (byte 27)"


@pytest.mark.parametrize(("limit", "said"), [({"opcodes": 1000}, "opcodes"), ({"seconds": 0.0}, "longer than")])
def test_a_scan_that_has_spent_its_budget_says_so(limit: dict, said: str):
    with pytest.raises(OutOfBudgetError, match=said):
        findings_of(pickle.dumps(list(range(10_000))), **limit)
