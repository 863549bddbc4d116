"""Which globals a file of weights may name. What is not on the list is not clean; there is no list of what is bad that
a verdict of clean rests on.

The second list only sorts what is refused: HOSTILE what has no place in data at all (all of Python's own library, and
published gadgets of torch, numpy and others), SUSPICIOUS what nobody vouches for (a class of the author's own).
"""

from __future__ import annotations

import sys

from netversus.lab.artifacts.claims import ITEM_BYTES, STORAGES
from netversus.lab.artifacts.findings import Verdict
from netversus.messages import noted

# Values only: named as an argument, never called.
DTYPES = frozenset(
    f"torch.{name}"
    for name in (
        *ITEM_BYTES,
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)),
        "quint4x2",
        "quint2x4",
    )
)
LAYOUTS = frozenset(
    f"torch.{name}" for name in ("sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "strided")
)
SCHEMES = frozenset(
    f"torch.{name}"
    for name in (
        "per_tensor_affine", "per_tensor_symmetric", "per_channel_affine", "per_channel_symmetric",
        "per_channel_affine_float_qparams",
    )
)  # fmt: skip
STORAGE_CLASSES = frozenset(
    [f"torch.{name}" for name in STORAGES]
    + [f"torch.cuda.{name}" for name in STORAGES]
    + ["torch.storage.UntypedStorage", "torch.storage.TypedStorage"]
)
# The types of tensors in torch's oldest format.
TENSOR_CLASSES = frozenset(f"torch.{name.removesuffix('Storage')}Tensor" for name in STORAGES)
VALUES = DTYPES | LAYOUTS | SCHEMES | STORAGE_CLASSES | TENSOR_CLASSES | {"numpy.ndarray"}

REBUILDERS = frozenset(
    f"torch._utils.{name}"
    for name in (
        "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter",
        "_rebuild_parameter_with_state", "_rebuild_qtensor", "_rebuild_sparse_tensor",
        "_rebuild_meta_tensor_no_storage", "_rebuild_device_tensor_from_cpu_tensor",
    )
)  # fmt: skip
PLAIN = frozenset(
    f"builtins.{name}"
    for name in (
        "set", "frozenset", "bytes", "bytearray", "complex", "slice", "range", "list", "dict", "int", "float", "bool",
        "str", "tuple", "object",
    )
)  # fmt: skip
PATHS = frozenset(
    f"{module}.{name}"
    for module in ("pathlib", "pathlib._local")
    for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
)
TIMES = frozenset(f"datetime.{name}" for name in ("datetime", "date", "time", "timedelta", "timezone"))
RECONSTRUCT = frozenset(f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core"))
SCALAR = frozenset(f"numpy.{core}.multiarray.scalar" for core in ("core", "_core"))
FROM_BUFFER = frozenset(f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core"))
JOBLIB_ARRAY = "joblib.numpy_pickle.NumpyArrayWrapper"
CALLABLE = (
    REBUILDERS | PLAIN | PATHS | TIMES | RECONSTRUCT | SCALAR | FROM_BUFFER
    | {
        "collections.OrderedDict", "collections.defaultdict", "collections.Counter", "_codecs.encode", "numpy.dtype",
        "torch.Size", "torch.device", "torch.Tensor", "torch.nn.parameter.Parameter", "torch.serialization._get_layout",
        "torch._tensor._rebuild_from_type_v2", "argparse.Namespace", JOBLIB_ARRAY,
    }
)  # fmt: skip
"""Called with arguments that `calls` checks one by one."""

SCRIPT = frozenset(
    f"torch.jit._pickle.{name}"
    for name in (
        "build_intlist", "build_doublelist", "build_boollist", "build_tensorlist", "build_complexlist",
        "build_tensor_from_id", "restore_type_tag",
    )
)  # fmt: skip
"""What the pickles of a TorchScript archive may call besides."""

# Classes of Python's library that hold data only, and yet are in no file of weights that this scan vouches for.
_DATA_ONLY = frozenset(
    {"collections.deque", "decimal.Decimal", "fractions.Fraction", "uuid.UUID", "types.SimpleNamespace",
     "copyreg._reconstructor", "copyreg.__newobj__"}
)  # fmt: skip

# Left Python's library in some version since 3.11, or were in that of Python 2; a scan on 3.13 must know them too.
_FORMERLY_PYTHON = frozenset(
    {"__builtin__", "commands", "httplib", "cPickle", "urllib2", "distutils", "imp", "lib2to3", "asyncore", "asynchat",
     "smtpd", "mailcap", "pipes", "telnetlib", "crypt", "nntplib", "cgi", "cgitb", "imghdr", "sndhdr", "msilib", "nis",
     "ossaudiodev", "spwd", "uu", "xdrlib", "chunk", "audioop", "aifc", "sunau", "nt", "posix", "posixpath", "ntpath",
     "_winapi", "winreg", "msvcrt", "test"}
)  # fmt: skip

# Modules and functions outside Python's library by which published payloads run code, read files or call home.
_GADGETS = (
    "numpy.f2py", "numpy.testing", "numpy.distutils", "numpy.load", "numpy.loads", "numpy.lib", "numpy.ctypeslib",
    "numpy.core._methods", "numpy.fromregex", "numpy.save", "numpy.genfromtxt", "numpy.memmap",
    "torch._inductor", "torch._dynamo", "torch._C", "torch._ops", "torch.utils.collect_env", "torch.utils.bottleneck",
    "torch.utils._config_module", "torch.utils.data", "torch.utils.cpp_extension", "torch.utils.model_zoo",
    "torch.utils.checkpoint", "torch.utils.show_pickle", "torch.jit", "torch.fx", "torch.hub", "torch.load",
    "torch.save", "torch.serialization", "torch.package", "torch.distributed.rpc", "torch.distributed.run",
    "torch.distributed.elastic", "torch.distributed.launch",
    "torch.multiprocessing", "torch.cuda._lazy_call", "torch.ops", "torch.classes", "torch.testing", "torch.onnx",
    "torch.from_file", "torch.UntypedStorage.from_file", "torch.compile", "torch.export",
    "joblib.load", "joblib.numpy_pickle.load", "joblib._parallel_backends", "joblib.externals", "joblib.parallel",
    "pandas.read_pickle", "pandas.io", "pandas.eval", "pandas.core.computation", "sklearn.utils._testing",
    "pip", "setuptools", "pkg_resources", "cloudpickle", "dill", "jsonpickle", "requests", "aiohttp", "httpx",
    "urllib3", "tensorflow.io", "tensorflow.raw_ops", "keras.utils", "scipy.io", "IPython", "jinja2", "yaml", "shelve",
    "matplotlib.testing", "psutil", "fsspec", "huggingface_hub", "transformers.dynamic_module_utils", "typer", "click",
)  # fmt: skip


def full(module: str, name: str) -> str:
    """A global's whole name."""
    return f"{module}.{name}"


def judge(module: str, name: str, *, script: bool = False) -> tuple[Verdict, str]:
    """What naming a global asks for, and why. `script`: in a TorchScript archive, which names its own classes."""
    whole = full(module, name)
    if whole in VALUES or whole in CALLABLE or (script and (whole in SCRIPT or _own_class(module))):
        return Verdict.CLEAN, ""
    if whole in _DATA_ONLY:
        return Verdict.SUSPICIOUS, noted("a class that weights do not need")
    parts = whole.split(".")
    if any(part.startswith("__") and part.endswith("__") and part != "__main__" for part in parts[1:]):
        return Verdict.HOSTILE, noted("which reaches into Python by a name of its own workings")
    if any(_pythons(part) for part in (parts[0], *(part.lstrip("_") for part in name.split(".")[:-1]))):
        return Verdict.HOSTILE, noted("a function of Python itself, which no data needs")
    if any(whole == gadget or whole.startswith(f"{gadget}.") for gadget in _GADGETS):
        return Verdict.HOSTILE, noted("by which published payloads run code or read files")
    return Verdict.SUSPICIOUS, noted("which no list vouches for")


def _pythons(root: str) -> bool:
    return root in sys.stdlib_module_names or root in _FORMERLY_PYTHON


def _own_class(module: str) -> bool:
    return module == "__torch__" or module.startswith("__torch__.")
