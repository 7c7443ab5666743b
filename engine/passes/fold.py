"""Constants worked out once, by ONNX Runtime's own optimiser.

Its basic level knows standard operators only, so what comes out is a graph for any runtime: what
depends on constants alone is one, equal nodes are one node. What nobody uses is dropped after it.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from engine.passes.graph import drop_dead
from engine.runtimes.ort import optimised


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with its constants worked out."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "folded.onnx"
        optimised(model.SerializeToString(), out)
        found = onnx.load(out)
    drop_dead(found)
    domains = {node.domain for node in found.graph.node}
    kept = [opset for opset in found.opset_import if opset.domain in domains]
    del found.opset_import[:]
    found.opset_import.extend(kept)
    return found
