"""Runs the notebooks: `make notebooks`, and tests/test_notebooks.py.

    python notebooks/execute.py [--small] [--out reports/notebooks] [NOTEBOOK ...]

Writes each as HTML and as an executed .ipynb; those in this folder stay without outputs. --small
takes little data and few epochs: it shows that every cell runs, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

try:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError
    from nbconvert import HTMLExporter
except ImportError as error:
    sys.exit(f"error: {error}; pip install 'tinyol[notebooks,train,emulator]'")

HERE = Path(__file__).resolve().parent
VARIABLE = "TINYOL_NOTEBOOKS"
CELL_TIMEOUT_S = 1800
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run_notebook(path: Path, *, small: bool, timeout_s: int = CELL_TIMEOUT_S) -> Any:
    """The notebook with its outputs, run in its own folder by a kernel of its own.

    Raises:
        CellExecutionError: a cell raised; the message holds it and the trace.
        CellTimeoutError: a cell took longer than timeout_s.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=timeout_s,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    environment = {**os.environ, VARIABLE: "small" if small else "full"}
    client.execute(env=environment)
    return notebook


def to_html(notebook: Any, title: str) -> str:
    """A page that stands alone; its pictures are in it."""
    body, _ = HTMLExporter().from_notebook_node(notebook, resources={"metadata": {"name": title}})
    return str(body)


def main() -> None:
    """Runs those that are named, or all."""
    parser = argparse.ArgumentParser(description="Run the notebooks and write them as HTML.")
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--out", type=Path, default=HERE.parent / "reports" / "notebooks")
    parser.add_argument("--small", action="store_true", help="little data, few epochs")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for path in arguments.notebooks or sorted(HERE.glob("*.ipynb")):
        if not path.is_file():
            sys.exit(f"error: {path}: there is no such notebook")
        begin = time.monotonic()
        try:
            done = run_notebook(path, small=arguments.small)
        except (CellExecutionError, CellTimeoutError) as error:
            sys.exit(f"error: {path.name}: {_COLOURS.sub('', str(error))}")
        nbformat.write(done, arguments.out / path.name)
        page = arguments.out / f"{path.stem}.html"
        page.write_text(to_html(done, path.stem), encoding="utf-8")
        print(f"{page}  ({time.monotonic() - begin:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
