"""What a pass needs to know of a graph: who makes a value, how many use it, what is constant."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference

_BODIES = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


class Graph:
    """A view of a model that is rewritten node by node; taken anew for every pass."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.makers = {value: node for node in model.graph.node for value in node.output}
        self._weights = {weight.name: weight for weight in model.graph.initializer}
        self._uses = Counter(value for node in model.graph.node for value in reads(node))
        self._uses.update(value.name for value in model.graph.output)

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators."""
        return max((o.version for o in self.model.opset_import if not o.domain), default=0)

    def maker(self, value: str, *kinds: str) -> onnx.NodeProto | None:
        """The node that gives ``value``, if it is of one of the ``kinds`` (any, if none)."""
        node = self.makers.get(value)
        return node if node is not None and (not kinds or node.op_type in kinds) else None

    def used_once(self, value: str) -> bool:
        return self._uses[value] == 1

    def constant(self, value: str) -> NDArray[Any] | None:
        """The value of an initializer or of a Constant node; None if it is neither."""
        if value in self._weights:
            return numpy_helper.to_array(self._weights[value])
        node = self.maker(value, "Constant")
        if node is None or node.attribute[0].name != "value":
            return None
        return numpy_helper.to_array(node.attribute[0].t)

    def shapes(self) -> dict[str, list[int | str]]:
        """Of every value that ONNX can infer; a free dimension is its name."""
        return {
            value.name: [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim]
            for value in self._inferred()
        }

    def kinds(self) -> dict[str, int]:
        """Of every value that ONNX can infer: what its numbers are, as ONNX counts types."""
        return {value.name: value.type.tensor_type.elem_type for value in self._inferred()}

    def _inferred(self) -> list[onnx.ValueInfoProto]:
        graph = shape_inference.infer_shapes(self.model).graph
        return [*graph.input, *graph.value_info, *graph.output]


class Patch:
    """The nodes and constants that take one node's place, named after what they end in."""

    def __init__(self, name: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._name = name

    def constant(self, value: Any, kind: type[np.generic] = np.int64) -> str:
        name = f"{self._name}/const{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def node(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """Add a node; returns its one output."""
        name = f"{self._name}/{kind}{len(self.nodes)}"
        out = out or name
        self.nodes.append(helper.make_node(kind, inputs, [out], name=name, **attributes))
        return out


def replace(model: onnx.ModelProto, patches: Callable[[onnx.NodeProto], Patch | None]) -> int:
    """Put a patch in the place of every node that has one, and drop what nobody uses any longer;
    returns how many there were."""
    nodes, made = [], 0
    for node in model.graph.node:
        patch = patches(node)
        if patch is None:
            nodes.append(node)
        else:
            made += 1
            nodes.extend(patch.nodes)
            model.graph.initializer.extend(patch.constants)
    if made:
        _keep(model, list(_used(model, nodes)))
    return made


def drop_dead(model: onnx.ModelProto) -> None:
    """Drop nodes, weights and notes that no output rests on."""
    _keep(model, list(_used(model, model.graph.node)))


def _used(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes that an output rests on, in order."""
    wanted = {value.name for value in model.graph.output}
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(reads(node))
            kept.append(node)
    return reversed(kept)


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """The values a node takes, those that its branches and loop bodies capture among them."""
    yield from node.input
    for a in node.attribute:
        for inner in (*a.graphs, a.g) if a.type in _BODIES else ():
            for node_inside in inner.node:
                yield from reads(node_inside)
            yield from (value.name for value in inner.output)


def sort(model: onnx.ModelProto) -> None:
    """Put every node behind those it reads from; of others the order stays."""
    makers = Graph(model).makers
    done: set[int] = set()
    ordered: list[onnx.NodeProto] = []
    for last in model.graph.node:
        waiting = [last]
        while waiting:
            node = waiting[-1]
            first = [m for v in reads(node) if (m := makers.get(v)) and id(m) not in done]
            if first:
                waiting += first
                continue
            waiting.pop()
            if id(node) not in done:
                done.add(id(node))
                ordered.append(node)
    _keep(model, ordered)


def _keep(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> None:
    taken = {value for node in nodes for value in reads(node)}
    weights = [w for w in model.graph.initializer if w.name in taken]
    kept = [v for v in model.graph.value_info if v.name in taken]
    for field, values in (("node", nodes), ("initializer", weights), ("value_info", kept)):
        copied = [_copy(value) for value in values]
        model.graph.ClearField(field)
        getattr(model.graph, field).extend(copied)


def _copy(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """A node's attribute, or what ONNX takes where it has none."""
    found = [a for a in node.attribute if a.name == name]
    return helper.get_attribute_value(found[0]) if found else default
