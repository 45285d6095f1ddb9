"""Takes the outputs out of the notebooks in this folder, so that they diff well.

    python notebooks/strip.py [--check]

--check changes nothing and exits with 1 where there is something to take out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def stripped(text: str) -> str:
    """A notebook's text without outputs, counts and what an editor left in its metadata."""
    notebook: dict[str, Any] = json.loads(text)
    notebook["metadata"] = METADATA
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        if cell["cell_type"] == "code":
            cell["execution_count"], cell["outputs"] = None, []
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """The exit code."""
    changed = []
    for path in sorted(HERE.glob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        if (clean := stripped(text)) != text:
            changed.append(path.name)
            if "--check" not in arguments:
                path.write_text(clean, encoding="utf-8")
    if changed and "--check" in arguments:
        print(f"outputs in {', '.join(changed)}: `make format` takes them out", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
