"""Who vouches for a file besides its content: a list of digests, or a signature by a key that the user trusts.

A digest list that lies beside the file tells of damage in transit only: who can change one can change both. It says
something when it came another way. A signature is checked by OpenSSH (`ssh-keygen -Y verify`, namespace `file`)
against the user's own list of allowed signers. Not covered: whether the signer was careful, and revocation beyond what
the list of signers says.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from netversus.errors import UsageError, WeightsError
from netversus.lab.artifacts.findings import Finding, Verdict, printable
from netversus.lab.artifacts.scan import Scan
from netversus.messages import noted

_SECONDS = 120


def read_digests(path: Path) -> dict[str, str]:
    """File name -> SHA-256 (hex), from what `sha256sum` writes.

    Raises:
        WeightsError: it cannot be read, or a line is no digest and a name.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"cannot read the digests {path}: {error}") from None
    found = {}
    for number, line in enumerate(lines, 1):
        digest, _, name = line.strip().partition(" ")
        if not line.strip():
            continue
        if len(digest) != 64 or not all(c in "0123456789abcdefABCDEF" for c in digest):
            raise WeightsError(f"{path}, line {number}: expected a SHA-256 and a name, as sha256sum writes them")
        found[name.lstrip(" *").removeprefix("./")] = digest.lower()
    return found


def check_digest(found: Scan, digests: dict[str, str], origin: str) -> Finding:
    """What a list of digests says of a scanned file. It is looked for by the path as given, then by its name."""
    stated = digests.get(str(found.path)) or digests.get(found.path.name)
    if stated is None:
        return Finding(Verdict.SUSPICIOUS, noted("{origin} does not name it", origin=printable(origin)))
    if stated != found.sha256:
        return Finding(
            Verdict.SUSPICIOUS,
            noted("its SHA-256 is not the one in {origin}: it was changed", origin=printable(origin)),
        )
    return Finding(Verdict.CLEAN, noted("its SHA-256 is the one in {origin}", origin=printable(origin)))


def check_signature(path: Path, signature: Path, signers: Path, identity: str) -> Finding:
    """What OpenSSH says of a signature that was made by `ssh-keygen -Y sign -n file`.

    Raises:
        UsageError: there is no ssh-keygen, or a file is missing.
    """
    program = shutil.which("ssh-keygen")
    if program is None:
        raise UsageError("checking a signature needs ssh-keygen, which is not installed", hint="install OpenSSH")
    for file in (signature, signers):
        if not file.is_file():
            raise UsageError(f"there is no file {file}")
    command = [program, "-Y", "verify", "-f", str(signers), "-I", identity, "-n", "file", "-s", str(signature)]
    with path.open("rb") as content:
        done = subprocess.run(  # noqa: S603 (a fixed program; the paths are the user's own)
            command, stdin=content, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    if done.returncode == 0:
        return Finding(
            Verdict.CLEAN,
            noted(
                "signed by {identity}, whom {signers} allows",
                identity=printable(identity),
                signers=printable(signers.name),
            ),
        )
    lines = (done.stderr or done.stdout).strip().splitlines()
    why = printable(lines[-1]) if lines else noted("no reason given")
    return Finding(
        Verdict.SUSPICIOUS, noted("its signature is not {identity}'s: {why}", identity=printable(identity), why=why)
    )
