"""The autoencoder on ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from model.onnx_graph import Graph, Session

if TYPE_CHECKING:
    from model.autoencoder import LSTMAutoencoder


def compile_autoencoder(autoencoder: LSTMAutoencoder, steps: int) -> Session:
    """The whole autoencoder for windows of so many steps, float32 T×M×K -> float32 T×M×K; its weights are copied.

    Step before window, as ONNX wants it.
    """
    graph = Graph()
    first, second = (graph.constant(f"axis{axis}", np.array([axis], np.int64)) for axis in (0, 1))
    hidden = _lstm(graph, "encoder", "x", autoencoder.encoder, output=1)
    latent = _linear(graph, "latent", graph.operate("Squeeze", [hidden, first]), autoencoder.to_latent)
    each = graph.constant("steps", np.array([steps, 1, 1], np.int64))
    repeated = graph.operate("Tile", [graph.operate("Unsqueeze", [latent, first]), each])
    decoded = _lstm(graph, "decoder", repeated, autoencoder.decoder, output=0)
    rebuilt = _linear(graph, "features", graph.operate("Squeeze", [decoded, second]), autoencoder.to_features)
    return Session(graph, [steps, "m", autoencoder.encoder.input_size], rebuilt)


def _lstm(graph: Graph, name: str, x: str, layer: nn.LSTM, *, output: int) -> str:
    """An LSTM; output 0: every step's, T×1×M×H, 1: the last one's, 1×M×H."""
    gates = {part: _gates(weight) for part, weight in layer.named_parameters()}
    weights = [
        graph.constant(f"{name}.w", gates["weight_ih_l0"].unsqueeze(0)),
        graph.constant(f"{name}.r", gates["weight_hh_l0"].unsqueeze(0)),
        graph.constant(f"{name}.b", torch.cat([gates["bias_ih_l0"], gates["bias_hh_l0"]]).unsqueeze(0)),
    ]
    return graph.operate("LSTM", [x, *weights], output=output, hidden_size=layer.hidden_size)


def _gates(weights: Tensor) -> Tensor:
    """From torch's order of the gates, input, forget, cell, output, to ONNX's: input, output, forget, cell."""
    entry, forget, cell, output = weights.chunk(4)
    return torch.cat([entry, output, forget, cell])


def _linear(graph: Graph, name: str, x: str, layer: nn.Linear) -> str:
    weight = graph.constant(f"{name}.weight", layer.weight.t())
    return graph.operate("Add", [graph.operate("MatMul", [x, weight]), graph.constant(f"{name}.bias", layer.bias)])
