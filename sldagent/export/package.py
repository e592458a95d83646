"""A law as a small package that pip installs: numpy only, no dependency on sldagent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sldagent.errors import ExportError
from sldagent.export.code import comment
from sldagent.export.document import check_document
from sldagent.export.files import write_text
from sldagent.export.python import python_source

_PROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "1.0.0"
description = {description}
readme = "README.md"
requires-python = ">=3.9"
dependencies = ["numpy"]

[tool.hatch.build.targets.wheel]
packages = ["{module}"]
"""

_README = """# {name}

{formula}

```python
from {module} import predict

predict({arguments})
```

Arguments are scalars or arrays that broadcast. `{module}.GROUPS`, `TARGETS`, `RANGES` (of the rows that the law was
found on) and `PARAMETERS` hold what the function uses; `{module}/law.json` is the whole law, which `sldagent import`
reads. Predictions far outside RANGES are extrapolation.

{provenance}
"""


def package_name(document: Mapping[str, Any]) -> str:
    """The distribution's name: the law's id with anything else than letters, digits and hyphens left out."""
    text = re.sub(r"[^a-z0-9]+", "-", str(document["law"]).lower()).strip("-")
    return text if text and text[0].isalpha() else f"law-{text}".rstrip("-")


def write_package(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the package into a folder that does not exist yet or is empty; returns the files.

    Raises ExportError where the folder holds something, or a file cannot be written.
    """
    check_document(document, "the law")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ExportError(f"'{folder}' is not an empty folder: name a new one with -o, so that nothing is overwritten")
    except OSError as error:
        raise ExportError(f"cannot read '{folder}': {error.strerror or error}; name another folder with -o") from None
    name = package_name(document)
    module = name.replace("-", "_")
    arguments = ", ".join(
        [*(f"{v['symbol']}=..." for v in document["variables"]), *(["group=..."] if len(document["groups"]) > 1 else [])]
    )
    files = {
        "pyproject.toml": _PROJECT.format(
            name=name, module=module, description=json.dumps("Scaling law of the task " + comment(str(document["task"])))
        ),
        "README.md": _README.format(
            name=name, module=module, arguments=arguments, formula=_formula(document), provenance=_provenance(document)
        ),
        f"{module}/__init__.py": python_source(document),
        f"{module}/law.json": json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    }  # fmt: skip
    inner = folder / module
    try:
        inner.mkdir(parents=True)
    except OSError as error:
        raise ExportError(f"cannot make '{inner}': {error.strerror or error}; name another folder with -o") from None
    for place, text in files.items():
        write_text(text, folder / place)
    return [folder / place for place in files]


def _provenance(document: Mapping[str, Any]) -> str:
    run, date, by = (comment(str(document["provenance"].get(key, ""))) for key in ("run", "date", "sldagent"))
    return f"Run {run}, exported {date} by sldagent {by}."


def _formula(document: Mapping[str, Any]) -> str:
    target = document["targets"][0]["name"] if len(document["targets"]) == 1 else "target i"
    return f"    {comment(str(target))} = {comment(str(document['formula']))}"
