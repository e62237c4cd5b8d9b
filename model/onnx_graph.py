"""Networks described to ONNX Runtime: on a CPU in float32 it takes about half of torch's time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

# Since 1.29 the runtime tells its maker's server about itself and its models, unless this is set when it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor

END = 1 << 31
"""Behind the last place of any side."""

_OPSET = 17
_IR_VERSION = 8  # of the ONNX release that brought opset 17: any newer runtime reads it


class Graph:
    """An ONNX graph with one input, `x`, that grows by one operation at a time; values are named by their position."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}

    def constant(self, name: str, value: Tensor | NDArray[np.generic]) -> str:
        """A number or weights by name."""
        array = value.detach().numpy() if isinstance(value, Tensor) else value
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        return name

    def numbers(self, *values: int) -> str:
        """A list of integers, named by them."""
        return self.constant(f"numbers {values}", np.array(values, np.int64))

    def cut(self, x: str, start: int, stop: int, *sides: int) -> str:
        """Places `start` to `stop` of each of these sides; see `END`."""
        bounds = (self.numbers(*[bound] * len(sides)) for bound in (start, stop))
        return self.operate("Slice", [x, *bounds, self.numbers(*sides)])

    def operate(self, kind: str, inputs: Sequence[str], *, output: int = 0, **settings: Any) -> str:
        """An operation; gives the name of the output of that position."""
        name = f"v{len(self._nodes)}"
        outputs = [""] * output + [name]
        self._nodes.append(helper.make_node(kind, list(inputs), outputs, **settings))
        return name


class Session:
    """A network compiled once for one thread; may be called by many threads at a time."""

    def __init__(
        self, graph: Graph, source: Sequence[str | int], output: str, *, uint8: bool = False, arena: bool = False
    ) -> None:
        """Compiles the graph.

        Args:
            graph: the network.
            source: shape of `x`; a side with a name may be of any length.
            output: name of the value that is asked for, float32.
            uint8: `x` is, not float32.
            arena: keep the memory of a call for the next one. It spares large values, always of the same size, the
                page faults; a service with many models would keep a peak for each of them.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # a frame is one thread's, from first to last; see `model.workers`
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = arena
        options.log_severity_level = 3
        described = helper.make_model(
            helper.make_graph(
                graph._nodes,
                "framewatch",
                [helper.make_tensor_value_info("x", TensorProto.UINT8 if uint8 else TensorProto.FLOAT, list(source))],
                [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
                list(graph._constants.values()),
            ),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
        )
        self._session = onnxruntime.InferenceSession(
            described.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._output = output

    def __call__(self, x: Tensor) -> Tensor:
        """`x` in, float32 out."""
        (found,) = self._session.run([self._output], {"x": x.numpy()})
        return torch.from_numpy(np.asarray(found))
