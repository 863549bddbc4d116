"""Hostile model files, made on the spot. Each payload touches a canary of its own, a path below `canaries`.

Every published way past picklescan, modelscan and fickling that could be found has a file here: callables that no list
of forbidden names knows, opcodes that scanners and unpicklers read differently, files within files, containers that say
two things. `source` says where a pattern was published. `proof` says who opens the file to show that it is truly
hostile: "pickle", "memory" (pickle from a BytesIO), "numpy", "joblib", "torch" (fully unpickling), or "" where that needs what is not installed here, a
network, or harms the machine.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import marshal
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C


@dataclass(frozen=True)
class Hostile:
    name: str  # of the file
    content: bytes
    source: str
    proof: str = ""
    beside: tuple[tuple[str, str], ...] = ()  # files (name, link target) that must lie beside it


class Raw(bytes):
    """Opcodes, where a value is expected."""


def lit(value: object) -> bytes:
    """The opcodes that push a value."""
    match value:
        case Raw():
            return bytes(value)
        case bool():
            return b"\x88" if value else b"\x89"
        case None:
            return b"N"
        case int():
            return b"J" + struct.pack("<i", value)
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case bytes():
            return b"B" + struct.pack("<I", len(value)) + value
        case tuple():
            return b"(" + b"".join(map(lit, value)) + b"t"
        case list():
            return b"(" + b"".join(map(lit, value)) + b"l"
        case dict():
            return b"(" + b"".join(lit(k) + lit(v) for k, v in value.items()) + b"d"
    raise TypeError(type(value))


def named(whole: str) -> Raw:
    module, _, name = whole.partition(":")
    return Raw(b"c" + module.encode() + b"\n" + name.encode() + b"\n")


def dotted(whole: str) -> Raw:
    """By STACK_GLOBAL, whose names may have dots."""
    module, _, name = whole.partition(":")
    return Raw(lit(module) + lit(name) + b"\x93")


def called(function: Raw | str, *arguments: object) -> Raw:
    function = named(function) if isinstance(function, str) else function
    return Raw(function + lit(arguments) + b"R")


def stream(body: bytes, protocol: int = 2) -> bytes:
    return bytes([0x80, protocol]) + body + b"."


def touch(canary: str) -> Raw:
    """The plainest payload."""
    return called("os:mkdir", canary)


def python(canary: str) -> str:
    return f"__import__('os').mkdir({canary!r})"


def callables(c: str) -> Iterator[tuple[str, Raw, str, str]]:
    """(name, opcodes, source, proof) of payloads that differ in what they call."""
    s, code, shell = "SECURITY.md", python(c), f"mkdir {c}"
    module = called("importlib:import_module", "os")
    yield "os_mkdir", touch(c), "plain", "pickle"
    yield "os_system", called("os:system", shell), "plain", "pickle"
    yield "posix_system", called("posix:system", shell), "plain", "pickle"
    yield "nt_system", called("nt:system", shell), "plain", ""
    yield "subprocess", called("subprocess:check_call", ["mkdir", c]), "plain", "pickle"
    yield "popen", called("subprocess:Popen", ["mkdir", c]), "plain", "pickle"
    yield "commands", called("commands:getoutput", shell), "Python 2's names", "pickle"
    yield "builtin_eval", called("__builtin__:eval", code), "Python 2's names", "pickle"
    yield "eval", called("builtins:eval", code), "plain", "pickle"
    yield "exec", called("builtins:exec", code), "plain", "pickle"
    yield "open", called("builtins:open", c, "w"), "plain", "pickle"
    yield "import_and_getattr", called(called("builtins:getattr", module, "mkdir"), c), "picklescan issue 66", "pickle"
    yield (
        "dunder_import",
        called(called("builtins:getattr", called("builtins:__import__", "os"), "mkdir"), c),
        s,
        "pickle",
    )
    yield "pip_main", called("pip:main", ["install", "--target", c, "/nonexistent"]), "CVE-2025-1716", ""
    yield "pip_internal", called("pip._internal:main", ["--version"]), "CVE-2025-1716", ""
    yield "mailcap", called("mailcap:findmatch", {"a/b": [{"test": shell, "view": "x"}]}, "a/b"), s, "pickle"
    yield "resolve_name", called(called("pkgutil:resolve_name", "os:mkdir"), c), "GHSA-vvpj-8cmc-gx39", "pickle"
    yield "attrgetter", called(called(called("operator:attrgetter", "mkdir"), module), c), s, "pickle"
    yield "_operator", called(called(called("_operator:attrgetter", "mkdir"), module), c), s, "pickle"
    yield "methodcaller", called(called("operator:methodcaller", "mkdir", c), module), s, "pickle"
    yield "partial", called(called("functools:partial", named("os:mkdir"), c)), s, "pickle"
    yield "reduce", called("functools:reduce", named("os:mkdir"), [c, 0o777]), s, "pickle"
    yield "map", called("builtins:list", called("builtins:map", named("os:mkdir"), [c])), s, "pickle"
    yield "lazy_map_into_a_set", called("builtins:set", called("builtins:map", named("os:mkdir"), [c])), s, "pickle"
    body = marshal.dumps(compile(code, "<p>", "exec"))
    made = called("types:FunctionType", called("marshal:loads", body), {})
    yield "marshal", called(made), s, "pickle"
    yield "runstring", called("numpy.testing._private.utils:runstring", code, {}), s, "pickle"
    yield "f2py_getlincoef", called("numpy.f2py.crackfortran:getlincoef", code, {}), s, "pickle"
    yield "f2py_myeval", called("numpy.f2py.crackfortran:myeval", code), s, "pickle"
    yield "pydoc_locate", called(called("pydoc:locate", "os.mkdir"), c), s, "pickle"
    yield "pydoc_pager", called("pydoc:pipepager", "", shell), s, "pickle"
    yield "uuid", called("uuid:_get_command_stdout", "mkdir", c), s, "pickle"
    yield (
        "spawnv",
        called("multiprocessing.util:spawnv_passfds", b"/bin/mkdir", [b"mkdir", c.encode()], []),
        s,
        "pickle",
    )
    yield "idlelib_calltip", called("idlelib.calltip:get_entity", code), s, "pickle"
    yield "idlelib_run", called("idlelib.run:Executive.runcode", None, code), s, ""
    yield "cprofile", called("cProfile:run", code), s, "pickle"
    yield "cprofile_ctx", called("cProfile:runctx", code, {}, {}), s, "pickle"
    yield "profile", called("profile:run", code), s, "pickle"
    yield "pdb", called("pdb:run", code), s, ""
    yield (
        "timeit",
        called("timeit:timeit", code, "pass", named("time:perf_counter"), 1),
        "GHSA-v7x6-rv5q-mhwc",
        "pickle",
    )
    yield "bdb", called(dotted("bdb:Bdb.run"), called("bdb:Bdb"), code), s, "pickle"
    yield "trace", called(dotted("trace:Trace.run"), called("trace:Trace"), code), s, "pickle"
    interpreter = called("code:InteractiveInterpreter")
    yield "code_interpreter", called(dotted("code:InteractiveInterpreter.runsource"), interpreter, code), s, "pickle"
    yield "doctest", called("doctest:debug_script", code, True), s, ""
    yield "ensurepip", called("ensurepip:_run_pip", ["--version"]), "GHSA-xp4f-hrf8-rxw7", ""
    yield "venv", called("venv:create", c), s, "pickle"
    yield "osx_support", called("_osx_support:_read_output", shell), "picklescan advisories", "pickle"
    yield "aix_support", called("_aix_support:_read_cmd_output", shell), "picklescan advisories", ""
    yield "write_file", called("distutils.file_util:write_file", c, ["x"]), "picklescan advisories", "pickle"
    yield "file_handler", called("logging:FileHandler", c), "picklescan advisories", "pickle"
    yield "file_io", called("_io:FileIO", c, "w"), "picklescan advisories", "pickle"
    yield "imaplib", called("imaplib:IMAP4_stream", shell), "picklescan advisories", "pickle"
    yield "sqlite", called("sqlite3:connect", c), "file write by a constructor", ""
    yield "shelve", called("shelve:open", c), "file write by a constructor", ""
    yield (
        "weakref",
        called("weakref:finalize", named("collections:OrderedDict"), named("os:mkdir"), c),
        "modelaudit",
        "",
    )
    yield "atexit", called("atexit:register", named("os:mkdir"), c), "modelaudit", ""
    yield "http", called("http.client:HTTPSConnection", "localhost", 1), "picklescan advisories", ""
    yield "smtp", called("smtplib:SMTP", "localhost", 1), "GHSA-mhc9-48gj-9gp3", ""
    yield "ssl", called("ssl:get_server_certificate", ("localhost", 1)), "picklescan advisories", ""
    yield "urllib", called("urllib.request:urlopen", "http://localhost:1/"), "picklescan advisories", ""
    yield "ctypes", called("ctypes:CDLL", "libc.so.6"), "picklescan advisories", ""
    yield "runpy", called("runpy:_run_code", Raw(called("builtins:compile", code, "p", "exec")), {}), "plain", "pickle"
    yield "compile_file", called("torch._inductor.codecache:compile_file", "", "", ["sh", "-c", shell]), s, ""
    yield "collect_env", called("torch.utils.collect_env:run", shell), s, "torch"
    yield "exec_wrapper", called("torch.jit.unsupported_tensor_ops:execWrapper", code, {}, {}), s, "torch"
    yield "guard_builder", called(dotted("torch._dynamo.guards:GuardBuilder.get"), None, code), s, ""
    guards = dotted("torch.fx.experimental.symbolic_shapes:ShapeEnv.evaluate_guards_expression")
    yield "evaluate_guards", called(guards, None, code, []), s, ""
    inner = stream(touch(c))
    yield "load_config", called(dotted("torch.utils._config_module:ConfigModule.load_config"), None, inner), s, ""
    yield "bottleneck", called("torch.utils.bottleneck.__main__:run_cprofile", code, {}), s, ""
    yield "hub_load", called("torch.hub:load", "/x", "y", "local"), s, ""
    yield "torch_load", called("torch:load", "/x"), s, ""
    yield "serialization_load", called("torch.serialization:load", "/x"), s, ""
    yield "load_from_bytes", called("torch.storage:_load_from_bytes", inner), "nested", ""
    yield "pickle_loads", called("pickle:loads", inner), s, "pickle"
    yield "_pickle_loads", called("_pickle:loads", inner), s, "pickle"
    yield (
        "lib2to3",
        called(dotted("lib2to3.pgen2.grammar:Grammar.loads"), called("lib2to3.pgen2.grammar:Grammar"), inner),
        s,
        "pickle",
    )
    yield "read_pickle", called("pandas:read_pickle", "/x"), s, ""
    yield "joblib_load", called("joblib:load", "/x"), s, ""
    yield "numpy_load", called("numpy:load", "/x", None, True), s, ""
    yield "by_way_of_random", called(dotted("random:_os.mkdir"), c), "dotted names", "pickle"
    yield "by_way_of_numpy", called(dotted("numpy:os.mkdir"), c), "dotted names", ""
    yield "by_way_of_torch", called(dotted("torch:os.mkdir"), c), "dotted names", "torch"
    yield "numpy_builtins", called(called(dotted("numpy:__builtins__.get"), "exec"), code), s, "pickle"
    yield "codec_by_name", called("_codecs:encode", "x", "rot13"), "imports encodings.rot13", ""
    yield "memory_by_bytearray", called("builtins:bytearray", 2**31 - 1), "two gigabytes in 40 bytes", ""
    yield "own_class", called("evil_package.model:Net", c), "a class that is installed with the model", ""


def confusions(c: str) -> Iterator[tuple[str, bytes, str, str]]:
    """(name, file, source, proof) of streams that scanners and unpicklers read differently."""
    s = "SECURITY.md"
    call = lit((c,)) + b"R"
    odd = lit("collections") + b"q\x010" + lit("posix") + b"\x940" + lit("mkdir") + b"q\x050" + b"h\x01h\x05\x93"
    yield "memoize_after_put", stream(odd + call, 4), s, "pickle"
    over = lit("OrderedDict") + b"q\x000" + lit("mkdir") + b"q\x000" + lit("os") + b"h\x00\x93"
    yield "memo_written_over", stream(over + call, 4), s, "pickle"
    yield (
        "memo_of_ten_digits",
        stream(lit("os") + b"p3000000000\n0" + b"g3000000000\n" + lit("mkdir") + b"\x93" + call, 4),
        s,
        "",
    )
    joined = called(dotted("builtins:str"), "os")
    yield "name_that_is_computed", stream(joined + lit("mkdir") + b"\x93" + call, 4), s, "pickle"
    yield "name_from_a_list_dup", stream(lit("os") + b"2" + b"0" + lit("mkdir") + b"\x93" + call, 4), s, "pickle"
    yield "obj_and_pop", stream(b"(" + named("os:mkdir") + lit(c) + b"o0N"), "GHSA on fickling: OBJ and POP", "pickle"
    yield "inst", b"(" + lit(c) + b"ios\nmkdir\n.", "protocol 0", "pickle"
    yield "inst_and_pop", b"(" + lit(c) + b"ios\nmkdir\n0N.", "protocol 0", "pickle"
    yield "reduce_and_pop", stream(touch(c) + b"0" + lit({"weight": 1})), "result thrown away", "pickle"
    yield "pop_mark", stream(b"(" + touch(c) + b"1" + lit({"weight": 1})), "result thrown away", "pickle"
    yield "build_appended", stream(touch(c) + lit({}) + b"b"), "GHSA-mhc9-48gj-9gp3", "pickle"
    attribute = named("collections:Counter") + lit((None, {"hidden": named("os:mkdir")})) + b"b0"
    yield "build_sets_an_attribute", stream(attribute + dotted("collections:Counter.hidden") + call, 4), s, "pickle"
    builtins = dotted("numpy:__builtins__") + lit("x") + dotted("os:mkdir") + b"s0"
    yield "builtins_by_setitem", stream(builtins + dotted("os:mkdir") + call, 4), s, "pickle"
    plain = named("collections:OrderedDict") + lit((None, {"__reduce_ex__": None})) + b"b"
    yield "build_on_a_class_alone", stream(plain), s, ""
    yield "newobj_ex", stream(named("subprocess:Popen") + lit((["mkdir", c],)) + b"}\x92", 4), "NEWOBJ_EX", ""
    yield "newobj", stream(named("subprocess:Popen") + lit((["mkdir", c],)) + b"\x81"), "NEWOBJ of a class", ""
    yield "extension_1", stream(b"\x82\x01)R"), "EXT1", ""
    yield "extension_4", stream(b"\x84\x01\x02\x03\x04)R"), "EXT4", ""
    yield "persistent_id", stream(lit("/etc/passwd") + b"Q"), "BINPERSID", ""
    yield "persistent_text", b"P/etc/passwd\n.", "PERSID", ""
    long = touch(c)
    for name, size in (("too_short", 3), ("too_long", 10**6), ("of_nothing", 0)):
        proof = "pickle" if size != 10**6 else ""
        yield f"frame_{name}", b"\x80\x04\x95" + struct.pack("<Q", size) + long + b".", s, proof
    yield (
        "frame_in_frame",
        b"\x80\x04\x95" + struct.pack("<Q", 60) + b"\x95" + struct.pack("<Q", 20) + long + b".",
        s,
        "",
    )
    split = b"cxx" + bytes(named("os:mkdir"))[1:] + call
    yield "frame_splits_a_name", b"\x80\x04\x95" + struct.pack("<Q", 3) + split + b".", "C and Python differ", "memory"
    yield "broken_tail", stream(touch(c))[:-1] + b"\xff\xfe", s, "pickle"
    yield "no_stop", stream(touch(c))[:-1], s, "pickle"
    yield "broken_string_after", stream(touch(c) + b"X\xff\xff\xff\x7fabc"), s, "pickle"
    yield "protocol_changes", stream(b"\x80\x00" + touch(c)), "fix_imports", "pickle"
    yield "no_protocol", touch(c) + b".", "protocol 0 without magic", "pickle"
    yield "text_protocol", b"cos\nmkdir\n(V" + c.encode() + b"\ntR.", "protocol 0", "pickle"
    yield (
        "space_in_a_name",
        stream(named("os:mkdir") + call + b"0" + b"ccollections OrderedDict\nx\n"),
        "GLOBAL with a space",
        "pickle",
    )
    yield "second_stream", pickle.dumps({"weight": 1}) + stream(touch(c)), s, ""
    yield "third_stream", pickle.dumps(1) + pickle.dumps(2) + stream(touch(c)), s, ""
    yield "many_opcodes_before", stream(b"N0" * 5000 + touch(c)), "scanners that give up", "pickle"
    yield "unicode_module", stream("cоs\nmkdir\n".encode() + call), "a Cyrillic letter", ""
    hidden = stream(touch(c))
    yield "pickle_in_bytes", pickle.dumps({"weight": hidden}), "waits for a second loads", ""
    yield "old_string_module", stream(b"U\x02osU\x05mkdir\x93" + call, 4), "SHORT_BINSTRING names", "pickle"


def torch_zip(data: bytes, storages: dict[str, bytes] | None = None, **more: bytes) -> bytes:
    """A file as torch.save writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/byteorder", b"little")
        for key, body in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", body)
        archive.writestr("archive/version", b"3\n")
        for name, body in more.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def storage(key: str, count: int, *, old: bool = False) -> Raw:
    """`old`: as before torch 1.6, with a place for a view."""
    return Raw(lit(("storage", named("torch:FloatStorage"), key, "cpu", count, *((None,) if old else ()))) + b"Q")


def tensor(shape: tuple[int, ...], stride: tuple[int, ...], count: int, *, old: bool = False) -> Raw:
    arguments = (storage("0", count, old=old), 0, shape, stride, False, called("collections:OrderedDict"))
    return called("torch._utils:_rebuild_tensor_v2", *arguments)


def honest_data(*, old: bool = False) -> bytes:
    return stream(lit({"weight": tensor((2, 2), (2, 1), 4, old=old)}))


def poked(content: bytes, at: int, new: bytes) -> bytes:
    return content[:at] + new + content[at + len(new) :]


def containers(c: str) -> Iterator[tuple[str, bytes, str, str]]:
    s = "SECURITY.md"
    bad = stream(lit({"weight": tensor((2, 2), (2, 1), 4), "x": touch(c)}))
    body = {"0": bytes(16)}
    whole = torch_zip(bad, body)
    yield "zip.pt", whole, "torch's format", "torch"
    yield "odd_extension.txt", whole, s, "torch"
    yield "model.safetensors", stream(touch(c)), s, "pickle"
    yield "model.pth.tar", stream(touch(c)), s, "pickle"
    yield "no_ending", whole, s, "torch"
    directory = whole.rfind(b"PK\x01\x02", 0, whole.find(b"archive/byteorder", whole.find(b"PK\x01\x02")))
    yield "flag_in_directory.pt", poked(whole, directory + 8, b"\x01"), s, ""
    yield "flag_in_both.pt", poked(poked(whole, directory + 8, b"\x01"), 6, b"\x01"), s, ""
    yield "name_differs.pt", poked(whole, 30, b"archive/data.txt"), s, ""
    yield "method_differs.pt", poked(whole, directory + 10, b"\x08"), s, ""
    yield "size_differs.pt", poked(whole, 18, struct.pack("<2L", 10, 10)), s, ""
    first = zipfile.ZipInfo("archive/readme")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(first, b"hello")
        archive.writestr("archive/data.pkl", bad)
        archive.writestr("archive/data/0", bytes(16))
        archive.writestr("archive/version", b"3\n")
    yield "bad_crc_first.pt", buffer.getvalue().replace(b"hello", b"hullo", 1), s, "torch"
    yield "bad_crc_of_the_payload.pt", whole.replace(b"mkdir", b"rmdir", 1), s, ""
    yield "truncated.pt", whole[: whole.rfind(b"PK\x01\x02") + 20], s, ""
    yield "no_directory.pt", whole[: whole.find(b"PK\x01\x02")], s, ""
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("archive/data.pkl", honest_data())
        archive.writestr("archive/DATA.pkl", bad)
        archive.writestr("archive/data/0", bytes(16))
    yield "two_by_case.pt", twice.getvalue(), s, ""
    yield "two_by_name.pt", twice.getvalue().replace(b"DATA.pkl", b"data.pkl"), s, ""
    yield "nested.pt", torch_zip(honest_data(), body, **{"archive/extra/inner.bin": whole}), s, ""
    yield "nested_deep.zip", _nested(whole, 7), s, ""
    yield "beside.pt", torch_zip(honest_data(), body, **{"archive/extra.dat": stream(touch(c))}), s, ""
    yield "as_a_storage.pt", torch_zip(honest_data(), {**body, "9": stream(touch(c))}), s, ""
    yield "second_in_data.pt", torch_zip(honest_data() + stream(touch(c)), body), s, ""
    yield "python_beside.pt", torch_zip(honest_data(), body, **{"archive/code.py": python(c).encode()}), s, ""
    yield "leads_out.zip", torch_zip(honest_data(), body, **{"../../x": b"x"}), s, ""
    yield "appended.pt", torch_zip(honest_data(), body) + stream(touch(c)), s, ""
    yield "before.pkl", stream(touch(c)) + torch_zip(honest_data(), body), "polyglot", "pickle"
    yield "squeezed.pt", _squeezed(bad), "compressed members", "torch"
    yield "plain.zip", _zipped({"a.bin": stream(touch(c))}), "zip of a pickle", ""
    yield "seven.7z", b"7z\xbc\xaf\x27\x1c" + bytes(58), s, ""
    yield "model.rar", b"Rar!\x1a\x07\x01\x00" + bytes(60), s, ""
    yield "zstandard.pkl", b"\x28\xb5\x2f\xfd" + bytes(60), s, ""
    bad_old = stream(lit({"weight": tensor((2, 2), (2, 1), 4, old=True), "x": touch(c)}))
    yield "legacy.pt", legacy(bad_old), "torch before 1.6", "torch"
    computed = called("builtins:int", str(MAGIC))
    yield "legacy_magic_computed.pt", legacy(bad_old, stream(computed)), s, "torch"
    yield "legacy_behind.pt", legacy(honest_data(old=True)) + stream(touch(c)), s, ""
    yield "legacy_payload_first.pt", legacy(honest_data(old=True), stream(touch(c) + b"0" + lit_long(MAGIC))), s, ""
    yield (
        "legacy_module_source.pt",
        legacy(stream(lit(("module", named("torch.nn:Linear"), "a.py", "x")) + b"Q")),
        s,
        "",
    )
    yield "oldest.tar", oldest(c), "torch before 0.1.10", ""
    yield "links.tar", linked(), s, ""


def _nested(content: bytes, depth: int) -> bytes:
    for i in range(depth):
        content = _zipped({f"{i}.zip": content})
    return content


def _zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def _squeezed(data: bytes) -> bytes:
    return _zipped({"a/data.pkl": data, "a/data/0": bytes(16), "a/version": b"3\n"}, zipfile.ZIP_DEFLATED)


def lit_long(value: int) -> bytes:
    body = value.to_bytes(11, "little", signed=True)
    return b"\x8a" + bytes([len(body)]) + body


def legacy(data: bytes, magic: bytes = b"") -> bytes:
    """A file as torch.save wrote it before 1.6: the object of `data` names the storage "0" of four floats."""
    head = (magic or stream(lit_long(MAGIC))) + stream(b"M\xe9\x03")
    system = stream(lit({"protocol_version": 1001, "little_endian": True}))
    return head + system + data + stream(lit(["0"])) + struct.pack("<q", 4) + bytes(16)


def oldest(c: str) -> bytes:
    files = {
        "storages": stream(b"K\x00") + stream(lit([])),
        "tensors": stream(b"K\x00"),
        "pickle": stream(touch(c)),
        "sys_info": stream(lit({})),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def linked() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("weights")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    return buffer.getvalue()


def arrays(c: str) -> Iterator[tuple[str, bytes, str, str]]:
    s = "SECURITY.md"
    objects = npy("|O", (1,), stream(touch(c)))
    numbers = npy("<f4", (4,), bytes(16))
    yield "objects.npy", objects, s, "numpy"
    yield "objects.npz", _zipped({"weight.npy": numbers, "bias.npy": objects}), s, ""
    yield "squeezed.npz", _zipped({"bias.npy": objects}, zipfile.ZIP_DEFLATED), s, ""
    yield "behind.npy", numbers + stream(touch(c)), "payload after a raw array", ""
    yield "structured_objects.npy", npy([("a", "|O")], (1,), stream(touch(c))), s, "numpy"
    yield "claims.npy", npy("<f8", (10**6, 10**6), bytes(16)), "a claim without numbers", ""
    plain = stream(touch(c))
    yield "joblib.joblib", plain, s, "joblib"
    for name, pack in PACKERS.items():
        yield f"joblib.{name}", pack(plain), "compressed joblib", "joblib"
    yield "joblib.old", b"ZF" + f"{len(plain):#x}".encode().ljust(19) + zlib.compress(plain), "joblib before 0.10", ""
    yield "joblib_twice.gz", gzip.compress(gzip.compress(plain)), "compressed twice", ""
    yield "joblib_behind.gz", gzip.compress(pickle.dumps(1)) + gzip.compress(plain), "a second stream", ""
    yield "joblib_array.joblib", joblib_array(touch(c)), "payload after a raw array", "joblib"
    yield "joblib_objects.joblib", joblib_array(b"N", objects=stream(touch(c))), "object array in joblib", "joblib"
    yield "lz4.joblib", b"\x04\x22\x4d\x18" + bytes(40), "not read here", ""


PACKERS = {
    "gz": gzip.compress,
    "z": zlib.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda body: lzma.compress(body, lzma.FORMAT_ALONE),
}


def npy(descr: object, shape: tuple[int, ...], body: bytes) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue() + body


def joblib_array(after: bytes, objects: bytes = b"") -> bytes:
    """joblib's own way: the raw numbers follow the opcode that describes them; `after` comes behind them."""
    dtype = called("numpy:dtype", "O8" if objects else "f4", False, True) + lit((3, "|" if objects else "<", None, None, None, -1, -1, 63 if objects else 0)) + b"b"  # fmt: skip
    state = {
        "subclass": named("numpy:ndarray"), "shape": (4,), "order": "C", "dtype": Raw(dtype), "allow_mmap": not objects,
        "numpy_array_alignment_bytes": 16,
    }  # fmt: skip
    head = b"\x80\x04(" + named("joblib.numpy_pickle:NumpyArrayWrapper") + b")\x81" + lit(state) + b"b"
    raw = objects or b"\x00" + bytes(16)
    return head + raw + after + b"l."


def other_formats(c: str) -> Iterator[tuple[str, bytes, str, str]]:
    code = "4wEAAAAAAAAAAAAAAAEAAAADAAAA"
    layer = {"class_name": "Lambda", "config": {"name": "x", "function": [code, None, None]}}
    model = {"class_name": "Sequential", "config": {"name": "m", "layers": [layer]}}
    for name, config, source in (
        ("lambda", model, "Lambda layer"),
        ("module", {"module": "os", "class_name": "system", "config": {}}, "CVE-2025-1550"),
        ("get_file", {"module": "keras.utils", "class_name": "get_file", "config": {}}, "CVE-2025-8747"),
        ("unsafe", {"module": "keras.config", "class_name": "enable_unsafe_deserialization"}, "CVE-2025-9906"),
        ("vocabulary", {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}, "CVE-2025-12058"),
        ("dunder_lambda", {"class_name": "__lambda__", "config": {"value": code}}, "CVE-2024-3660"),
    ):  # fmt: skip
        yield f"{name}.keras", _zipped({"config.json": json.dumps(config).encode(), "metadata.json": b"{}", "model.weights.h5": b"\x89HDF\r\n\x1a\n"}), source, ""  # fmt: skip
    yield "lambda.h5", b"\x89HDF\r\n\x1a\n" + bytes(100) + json.dumps(model).encode(), "CVE-2025-9905", ""
    yield "moved.h5", bytes(512) + b"\x89HDF\r\n\x1a\n" + json.dumps(model).encode(), "HDF5 behind a user block", ""
    yield "escape.onnx", onnx(external="../../../../etc/passwd"), "CVE-2024-27318", ""
    yield "absolute.onnx", onnx(external="/etc/passwd"), "CVE-2024-5187", ""
    yield "drive.onnx", onnx(external="C:\\secret"), "CVE-2024-27318", ""
    yield "link.onnx", onnx(external="link.bin"), "CVE-2022-25882", ""
    yield "custom.onnx", onnx(domain="evil.ops"), "custom operators", ""
    yield "python.onnx", onnx(domain="ai.onnx.contrib", operator="PyOp"), "custom operators", ""
    yield "claims.onnx", onnx(dims=(10**6, 10**6)), "a claim without numbers", ""
    for name, text in (
        ("save", f"def forward(self, x):\n  torch.save(x, {c!r})\n  return x\n"),
        ("from_file", 'def forward(self, x):\n  return torch.from_file("/etc/passwd", False, 9)\n'),
        ("library", "def forward(self, x):\n  return ops.evil.run(x)\n"),
    ):
        data = stream(lit({}))
        yield f"script_{name}.pt", torch_zip(data, **{"archive/code/__torch__.py": text.encode(), "archive/constants.pkl": stream(lit(()))}), "TorchScript", ""  # fmt: skip
    yield "program.bin", b"\x7fELF" + bytes(100), "a program", ""
    yield "script.bin", b"#!/bin/sh\nmkdir " + c.encode() + b"\n", "a program", ""
    yield "page.pt", b"<!DOCTYPE html><html></html>", "a web page", ""


def onnx(external: str = "", domain: str = "", operator: str = "Relu", dims: tuple[int, ...] = (4,)) -> bytes:
    """A small ONNX file by its fields: one node, one tensor."""
    part = b"".join(b"\x08" + varint(side) for side in dims) + b"\x10\x01" + field(8, b"w")
    if external:
        part += field(13, field(1, b"location") + field(2, external.encode())) + b"\x70\x01"
    else:
        part += field(9, bytes(16))
    node = (
        field(1, b"x") + field(2, b"y") + field(4, operator.encode()) + (field(7, domain.encode()) if domain else b"")
    )
    graph = field(1, node) + field(2, b"g") + field(5, part)
    return b"\x08\x08" + field(8, b"\x10\x11") + field(7, graph)


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def tensors_header(header: dict | bytes, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def claims(c: str) -> Iterator[tuple[str, bytes, str, str]]:
    def entry(shape: list, begin: int, end: int, dtype: str = "F32") -> dict:
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}

    s = "SECURITY.md"
    yield "stride_zero.pt", torch_zip(stream(lit({"w": tensor((10**6, 10**6), (0, 0), 1)})), {"0": bytes(4)}), s, ""
    yield "storage_claims.pt", torch_zip(stream(lit({"w": tensor((2, 2), (2, 1), 10**9)})), {"0": bytes(16)}), s, ""
    yield "storage_missing.pt", torch_zip(honest_data()), s, ""
    yield "reaches_past.pt", torch_zip(stream(lit({"w": tensor((2, 2), (100, 1), 4)})), {"0": bytes(16)}), s, ""
    yield "hidden_bytes.pt", torch_zip(honest_data(), {"0": bytes(16) + stream(touch(c))}), s, ""
    yield "negative.pt", torch_zip(stream(lit({"w": tensor((-2, 2), (2, 1), 4)})), {"0": bytes(16)}), s, ""
    yield "overlap.safetensors", tensors_header({"a": entry([4], 0, 16), "b": entry([4], 8, 24)}, bytes(24)), s, ""
    yield "gap.safetensors", tensors_header({"a": entry([4], 0, 16), "b": entry([4], 32, 48)}, bytes(48)), s, ""
    yield "behind.safetensors", tensors_header({"a": entry([4], 0, 16)}, bytes(16) + stream(touch(c))), s, ""
    yield "span.safetensors", tensors_header({"a": entry([10**6, 10**6], 0, 16)}, bytes(16)), s, ""
    yield "past.safetensors", tensors_header({"a": entry([40], 0, 160)}, bytes(16)), s, ""
    twice = (
        b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
    )
    yield "twice.safetensors", tensors_header(twice, bytes(16)), s, ""
    yield "header.safetensors", struct.pack("<Q", 99_000_000) + b'{"a":' + b" " * 100, s, ""
    yield (
        "metadata.safetensors",
        tensors_header({"__metadata__": {"a": {"b": 1}}, "a": entry([4], 0, 16)}, bytes(16)),
        s,
        "",
    )
    yield "deep.safetensors", tensors_header(b'{"a":' + b"[" * 100_000), s, ""
    yield "overflow.safetensors", tensors_header({"a": entry([2**62, 2**62], 0, 0)}), s, ""
    zipped = torch_zip(stream(lit({"w": touch(c)})))
    yield "and_zip.safetensors", tensors_header({"a": entry([4], 0, 16)}, bytes(16)) + zipped, "polyglot", ""


def bombs(c: str) -> Iterator[tuple[str, bytes, str, str]]:
    yield "bomb.npz", _zipped({"a.npy": npy("<f4", (10**8,), bytes(4 * 10**7))}, zipfile.ZIP_DEFLATED), "a bomb", ""
    yield "bomb.gz", gzip.compress(gzip.compress(bytes(3 * 10**7) + stream(touch(c)))), "a bomb", ""


def corpus(canaries: Path) -> list[Hostile]:
    """Every file. A canary is `canaries/NAME`."""
    found: list[Hostile] = []

    def canary(name: str) -> str:
        return str(canaries / name)

    for i, (name, body, source, proof) in enumerate(callables("@")):
        again = list(callables(canary(name)))[i][1]
        found.append(Hostile(f"{name}.pkl", stream(again, 4 if b"\x93" in body else 2), source, proof))
    for i, (name, _, source, proof) in enumerate(confusions("@")):
        found.append(Hostile(f"{name}.pkl", list(confusions(canary(name)))[i][1], source, proof))
    for group in (containers, arrays, other_formats, claims):
        for i, (name, _, source, proof) in enumerate(group("@")):
            content = list(group(canary(name)))[i][1]
            beside = (("link.bin", "/etc/passwd"),) if name == "link.onnx" else ()
            found.append(Hostile(name, content, source, proof, beside))
    found += [Hostile(*each) for each in bombs(canary("bomb"))]
    assert len({each.name for each in found}) == len(found)
    return found


def write(files: list[Hostile], folder: Path) -> None:
    """Write the corpus, each file in a folder of its own."""
    for each in files:
        place = folder / each.name.replace(".", "_")
        place.mkdir(parents=True)
        (place / each.name).write_bytes(each.content)
        for name, target in each.beside:
            (place / name).symlink_to(target)
