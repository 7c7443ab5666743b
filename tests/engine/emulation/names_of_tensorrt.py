"""Run where TensorRT's own bindings load: says which names of ours they do not have.

Every attribute that ``engine/runtimes/trt.py`` asks of a TensorRT object is looked up in the class
that such an object has; enumerations and functions in the module.
"""

import ast
import json
import sys
from pathlib import Path

import tensorrt_bindings as trt

CLASSES = {
    "trt": trt,
    "builder": trt.Builder,
    "network": trt.INetworkDefinition,
    "parser": trt.OnnxParser,
    "config": trt.IBuilderConfig,
    "profile": trt.IOptimizationProfile,
    "given": trt.ITensor,
    "engine": trt.ICudaEngine,
    "_context": trt.IExecutionContext,
    "known": trt.ITimingCache,
}
CALLED = {
    "get_error": (trt.ParserError, ["desc"]),
    "get_timing_cache": (trt.ITimingCache, ["serialize"]),
    "Runtime": (trt.Runtime, ["deserialize_cuda_engine"]),
    "Logger": (trt.Logger, ["ERROR"]),
    "NetworkDefinitionCreationFlag": (trt.NetworkDefinitionCreationFlag, ["STRONGLY_TYPED"]),
    "MemoryPoolType": (trt.MemoryPoolType, ["WORKSPACE"]),
}


def named(node: ast.expr) -> str:
    """What an attribute is asked of: a variable, or a field of ourselves."""
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


tree = ast.parse(Path(sys.argv[1]).read_text("utf-8"))
asked = {
    (named(node.value), node.attr)
    for node in ast.walk(tree)
    if isinstance(node, ast.Attribute) and named(node.value) in CLASSES
}
asked -= {("trt", "__version__")}
lacking = [f"{of}.{name}" for of, name in sorted(asked) if not hasattr(CLASSES[of], name)]
for of, (kind, names) in CALLED.items():
    lacking += [f"{of}.{name}" for name in names if not hasattr(kind, name)]
lacking += ["nptype(uint8)"] if trt.nptype(trt.uint8).__name__ != "uint8" else []
sys.stdout.write(json.dumps({"asked": len(asked), "lacking": lacking}) + "\n")
