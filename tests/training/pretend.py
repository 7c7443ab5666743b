"""A device that is not there: tensors that hold their values in memory and say they lie on it.

What a GPU refuses, an operation on tensors of two devices, is refused here as well, backward
passes included; no machine of ours has a GPU. PyTorch's fake tensors do the same without values.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

DEVICE = torch.device("meta")
"""What the tensors say: the one device that has no memory and that every build knows."""
WAITING = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
INDEXING = (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default)


class There(Tensor):
    """A tensor on the device; ``here`` holds its values."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> Self:
        made: Self = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, here.shape, strides=here.stride(), dtype=here.dtype, device=DEVICE
        )
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class Pretending(TorchDispatchMode):
    """While it is entered, what is made on the device is a :class:`There`."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class Recording(Pretending):
    """As a CUDA graph records: what waits for the CPU or copies from it is refused."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        goes_there = (kwargs or {}).get("device") == DEVICE
        beside = [a for a in args if isinstance(a, Tensor) and not isinstance(a, There) and a.dim()]
        if func in WAITING or (beside and (goes_there or func is torch.ops.aten.copy_.default)):
            raise RuntimeError(f"{func} cannot be recorded")
        return super().__torch_dispatch__(func, types, args, kwargs)


def move(model: nn.Module) -> None:
    """Every weight and buffer to the device."""
    for part in model.modules():
        for name, weight in part._parameters.items():
            if weight is not None:
                part._parameters[name] = nn.Parameter(There(weight.detach()), weight.requires_grad)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = There(buffer)


def _run(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    device = kwargs.get("device")
    if device is not None or func is torch.ops.aten.copy_.default:
        return _moved(func, args, kwargs, device)
    found: list[Tensor] = []
    tree_map(lambda x: found.append(x) if isinstance(x, Tensor) else None, [args, dict(kwargs)])
    on = [t for t in found if isinstance(t, There)]
    off = [t for t in found if not isinstance(t, There) and t.dim()]
    if func in INDEXING and isinstance(args[0], There):  # CUDA takes indices that lie on the CPU
        off = [
            t for t in args[2:] if isinstance(t, Tensor) and not isinstance(t, There) and t.dim()
        ]
    if on and off:
        raise RuntimeError(f"{func}: {len(on)} tensors on the device, {len(off)} on the CPU")
    result = func(*_values(args), **_values(dict(kwargs)))
    return _wrapped(result, args) if on else result


def _moved(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], device: Any) -> Any:
    """Made on, or copied to, the device that is named, or that of what is copied to."""
    values = {k: v for k, v in _values(dict(kwargs)).items() if k != "device"}
    if device is None:  # copy_ goes between devices
        func(*_values(args), **values)
        return args[0]
    result = func(*_values(args), **values, device=torch.device("cpu"))
    return There(result) if torch.device(device).type == DEVICE.type else result


def _values(tree: Any) -> Any:
    return tree_map(lambda x: x.here if isinstance(x, There) else x, tree)


def _wrapped(result: Any, args: Sequence[Any]) -> Any:
    """Results are on the device; one that was written in place is the same tensor as before."""
    known = {id(x.here): x for x in args if isinstance(x, There)}

    def there(x: Any) -> Any:
        return known[id(x)] if id(x) in known else There(x) if isinstance(x, Tensor) else x

    return tree_map(there, result)
