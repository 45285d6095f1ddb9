"""Finds a C++ compiler for the twin; where there is none, takes zig's from PyPI (no root).

Run by the Makefile before anything is built: prints lines for a shell to source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ZIG = Path(__file__).parents[1] / "requirements" / "compiler.txt"  # clang 20; 80 MB as a wheel


def main() -> int:
    """Prints nothing where a compiler is there, else the variables that make zig's the one."""
    candidates = [os.environ.get("CXX", "").split(" ")[0], "c++", "g++", "clang++"]
    found = next((name for name in candidates if name and shutil.which(name)), None)
    if found == "clang++" and not shutil.which("cc"):
        print(
            "export CC=clang CXX=clang++ LDSHARED='clang++ -shared' LDCXXSHARED='clang++ -shared'"
        )
        return 0
    if found:
        return 0
    print("no C++ compiler here: taking zig's from PyPI", file=sys.stderr)
    install = [sys.executable, "-m", "pip", "install", "-q", "--require-hashes", "-r", str(ZIG)]
    subprocess.run(install, check=True)
    # The program itself: pip hides this environment's modules while it builds.
    zig = Path(sysconfig.get_path("platlib"), "ziglang", "zig")
    print(f"export CC='{zig} cc' CXX='{zig} c++' AR='{zig} ar'")
    print(f"export LDSHARED='{zig} c++ -shared' LDCXXSHARED='{zig} c++ -shared'")
    return 0


if __name__ == "__main__":
    sys.exit(main())
