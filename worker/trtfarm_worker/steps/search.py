"""Search: model, table and data -> an ONNX with Q/DQ nodes but for the nodes that lose too much."""

from __future__ import annotations

from trtfarm.accuracy import BATCH_SIZE
from trtfarm.actions import SEARCH_REVISION
from trtfarm.database.named_rows import row
from trtfarm.database.schema import DatasetRow, ModelRow, TableRow
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.steps import quantize
from trtfarm_worker.steps.inputs import arrays, model_file
from trtfarm_worker.steps.revisions import check_revision
from trtfarm_worker.steps.rows import keep_file, rewritten
from trtfarm_worker.steps.step import Invocation, Outcome, Task
from trtfarm_worker.toolchains.registry import reference_toolchain


def prepare(task: Task) -> Invocation:
    request = task.job.request
    with task.farm.database.read() as session:
        model = row(session, ModelRow, request["model_id"])
        table = row(session, TableRow, request["table_id"])
        dataset = row(session, DatasetRow, request["dataset_id"])
    return Invocation(
        toolchain=reference_toolchain(),
        step="search",
        args={
            "model": model_file(task, model),
            "scales": table.scales,
            "options": request["options"],
            "inputs": arrays(task, dataset),
            "batch_size": min(BATCH_SIZE, dataset.samples),
            "allowed": request["allowed"],
            "measure": request["measure"],
        },
    )


def keep(task: Task, answer: BuilderAnswer) -> Outcome:
    quantize.check_quantizer(answer)
    search = answer.result["search"]
    check_revision("the search", search["revision"], SEARCH_REVISION)
    blob = keep_file(task, answer.file("model"))
    facts = {**quantize.facts_of(answer), "search": search}
    return rewritten(task, blob, prefix="qdq", facts=facts)
