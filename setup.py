"""Builds the twin: the core's C++ sources as a cffi module. All metadata is in pyproject.toml."""

from __future__ import annotations

import runpy
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

if Path(sysconfig.get_path("include"), "Python.h").exists():
    setup(cffi_modules=["tinyol_sim/_build.py:make_builder"])
else:
    # A Python without headers (Debian's, without python3-dev): see tinyol_sim/_core.py.
    build = runpy.run_path("tinyol_sim/_build.py")
    setup(
        ext_modules=[
            Extension(
                f"tinyol_sim.{build['NATIVE']}",
                sources=build["sources"](),
                language="c++",
                **build["build_options"](),
            )
        ]
    )
