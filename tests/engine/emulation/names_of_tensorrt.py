"""Run where TensorRT's own bindings load: says which names of ours they do not have.

Every attribute that ``engine/runtimes/trt.py`` asks of a TensorRT object is looked up in the class
that such an object has: a variable's, a field's, or that of what a call gives. Enumerations and
functions are looked up in the module.
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
    "get_error": trt.ParserError,
    "config": trt.IBuilderConfig,
    "profile": trt.IOptimizationProfile,
    "given": trt.ITensor,
    "timed": trt.ITimingCache,
    "Runtime": trt.Runtime,
    "engine": trt.ICudaEngine,
    "_engine": trt.ICudaEngine,
    "context": trt.IExecutionContext,
    "Logger": trt.Logger,
    "BuilderFlag": trt.BuilderFlag,
    "MemoryPoolType": trt.MemoryPoolType,
    "NetworkDefinitionCreationFlag": trt.NetworkDefinitionCreationFlag,
}


def named(node: ast.expr) -> str:
    """What an attribute is asked of: a variable, a field of something, or what a call gives."""
    if isinstance(node, ast.Call):
        return named(node.func)
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


tree = ast.parse(Path(sys.argv[1]).read_text("utf-8"))
asked = {
    (named(node.value), node.attr)
    for node in ast.walk(tree)
    if isinstance(node, ast.Attribute) and named(node.value) in CLASSES
}
asked -= {("trt", "__version__")}
lacking = [f"{of}.{name}" for of, name in sorted(asked) if not hasattr(CLASSES[of], name)]
lacking += [f"nobody asks {of}" for of in sorted(CLASSES.keys() - {of for of, _ in asked})]
lacking += ["nptype(uint8)"] if trt.nptype(trt.uint8).__name__ != "uint8" else []
sys.stdout.write(json.dumps({"asked": len(asked), "lacking": lacking}) + "\n")
