"""The stem on ONNX Runtime: the same convolutions in float32 on a CPU, in about half of torch's time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

if TYPE_CHECKING:
    from model.encoder import StemEncoder

_OPSET = 17
_IR_VERSION = 8  # of the ONNX release that brought opset 17: any newer runtime reads it


class OnnxStem:
    """The convolutions of a stem, compiled once for one thread; may be called by many threads at a time.

    The weights are copied: a stem that changes afterwards wants a new one.
    """

    def __init__(self, encoder: StemEncoder) -> None:
        graph = _Graph()
        x = graph.convolve("x", encoder.first, clip=True)
        for block in encoder.inverted:
            wide = x if block.expand is None else graph.convolve(x, block.expand, clip=True)
            y = graph.convolve(graph.convolve(wide, block.depthwise, clip=True), block.project, clip=False)
            x = graph.add(y, x) if block.residual else y
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # a frame is one thread's, from first to last; see `model.workers`
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # an arena keeps its peak for good, in a service that runs for months
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            graph.serialize(encoder.first.in_channels, x), options, providers=["CPUExecutionProvider"]
        )
        self._output = x

    def __call__(self, x: Tensor) -> Tensor:
        """float32 N×C×H×W -> float32 N×40×H/8×W/8."""
        (found,) = self._session.run([self._output], {"x": x.numpy()})
        return torch.from_numpy(np.asarray(found))


class _Graph:
    """An ONNX graph that grows by one operation at a time; values are named by their position."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants = [
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
            numpy_helper.from_array(np.array(6, np.float32), "six"),
        ]

    def convolve(self, x: str, layer: nn.Conv2d, *, clip: bool) -> str:
        """A convolution, and ReLU6 behind it."""
        name = f"v{len(self._nodes)}"
        for part, value in layer.named_parameters():
            self._constants.append(numpy_helper.from_array(value.detach().numpy(), f"{name}.{part}"))
        pads = [int(pad) for pad in layer.padding] * 2
        self._nodes.append(
            helper.make_node(
                "Conv",
                [x, f"{name}.weight", f"{name}.bias"],
                [name],
                kernel_shape=list(layer.kernel_size),
                strides=list(layer.stride),
                pads=pads,
                group=layer.groups,
            )
        )
        return self._operate("Clip", [name, "zero", "six"]) if clip else name

    def add(self, a: str, b: str) -> str:
        return self._operate("Add", [a, b])

    def _operate(self, kind: str, inputs: list[str]) -> str:
        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name]))
        return name

    def serialize(self, channels: int, output: str) -> bytes:
        """The model file, with `x` as its input."""
        shape: list[str | int | None] = ["n", channels, "h", "w"]
        source = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        target = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", None, None, None])
        graph = helper.make_graph(self._nodes, "stem", [source], [target], self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        data: bytes = model.SerializeToString()
        return data
