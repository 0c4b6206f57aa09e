"""One node computed: by onnx's reference implementation, or by onnxruntime where that is installed.

onnxruntime comes first for values of a run, because the reference of onnx 1.23 computes some operators
of old opsets wrongly (BatchNormalization of opset 9 takes the batch's statistics); shapes and other
small constants use the reference, which needs nothing more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from accelsim.importers.onnx_file import import_onnx

if TYPE_CHECKING:
    from accelsim.importers.onnx_tensors import Graph

READABLE = 10  # IR version that every onnxruntime since 1.18 reads


def one_node_model(graph: Graph, node: Any, inputs: list[Any]) -> tuple[Any, dict[str, Any]]:
    """(a model of that node alone, its feeds) for given inputs, None for what is left out."""
    onnx = import_onnx()
    helper = onnx.helper
    feeds = {
        name: np.asarray(value) for name, value in zip(node.input, inputs, strict=True) if name
    }
    described = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in feeds.items()
    ]
    results = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    opsets = [helper.make_opsetid("", graph.version)]
    if node.domain:
        opsets.append(helper.make_opsetid(node.domain, 1))
    made = helper.make_model(
        helper.make_graph([node], "one", described, results), opset_imports=opsets
    )
    made.ir_version = min(made.ir_version, READABLE)
    return made, feeds


def run_node(graph: Graph, node: Any, inputs: list[Any]) -> list[Any]:
    """A node's outputs for given inputs (None: left out), by onnx's reference implementation."""
    import_onnx()
    from onnx.reference import ReferenceEvaluator

    made, feeds = one_node_model(graph, node, inputs)
    return list(ReferenceEvaluator(made).run(None, feeds))


def run_fast(graph: Graph, node: Any, inputs: list[Any]) -> list[Any]:
    """The same by onnxruntime on one thread; by the reference where onnxruntime is not installed or
    does not know the operator."""
    try:
        import onnxruntime
    except ImportError:
        return run_node(graph, node, inputs)
    made, feeds = one_node_model(graph, node, inputs)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            made.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # NotImplemented, InvalidGraph: kinds of its own
        return run_node(graph, node, inputs)
    names = [name for name in node.output if name]
    return list(session.run(names, feeds))
