"""An exported law back into an archive: a finished run of one candidate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.errors import ExportError
from sldagent.evaluation.result import Evaluation
from sldagent.export.document import check_document, document_parameters, read_law_document
from sldagent.laws.canonical import structure_hash

OPERATOR = "import"


def import_law(path: str | Path, archive: Archive) -> str:
    """Keep the law of a JSON file; returns its new id.

    Its formula, constants and figures are taken from the file; errors per cut and ancestry stay with the archive that it
    came from.  The run's configuration says where that was.

    Raises ExportError for a file that is no law, ArchiveError where the archive cannot be written.
    """
    document = read_law_document(path)
    program = check_document(document, str(path))
    card = document.get("card")
    if not isinstance(card, Mapping):
        raise ExportError(f"{path}: the roles of its table are missing (key 'card'); export the law again")
    about = document["provenance"]
    record = CandidateRecord(
        k=0,
        island=0,
        operator=OPERATOR,
        parents=(),
        source=document["program"],
        formula=document["formula"],
        structure=structure_hash(program.law),
        evaluation=_evaluation(document),
        note=f"{document['law']}, exported {about.get('date', '')}",
    )
    run = archive.new_run_id(document["task"])
    archive.start_run(
        run=run,
        task=document["task"],
        seed=int(about.get("seed") or 0),
        config={"imported": {"law": document["law"], **{k: str(v) for k, v in about.items()}}},
        card=card,
        mode=document["mode"],
        islands=[{"temperature": 0.0, "bias": ""}],
    )
    archive.commit(run, [record])
    archive.finish_run(
        run,
        status="complete",
        choice=0,
        shortlist=(0,),
        reason=f"imported: {document['law']}",
        candidates=1,
        failures=0,
        seconds=0.0,
        extra={},
    )
    return f"{run}-0"


def _evaluation(document: Mapping[str, Any]) -> Evaluation:
    figures = document["evaluation"]

    def figure(key: str, unknown: float) -> float:
        value = figures.get(key)
        return float(value) if isinstance(value, int | float) else unknown

    return Evaluation(
        x=figure("x", math.inf),
        x_se=figure("x_se", math.inf),
        mdl=figure("mdl", math.inf),
        complexity=figure("complexity", math.inf),
        tree=int(figure("tree", 0)),
        scalars=int(figure("scalars", 0)),
        valid=bool(figures.get("valid", False)),
        train_r2=figure("train_r2", -math.inf),
        parameters=document_parameters(document),
    )
