"""The autoencoders on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from model.onnx_graph import END, Graph, Session

if TYPE_CHECKING:
    from model.autoencoder import Ensemble, LSTMAutoencoder
    from model.whitening import Whitening


def compile_errors(ensemble: Ensemble, steps: int, weight: Tensor | None, whitening: Whitening | None) -> Session:
    """`Ensemble.error` for windows of so many steps, float32 M×T×C -> float32 M; its weights are copied.

    Of a window only the steps whose error counts are rebuilt.
    """
    graph = Graph()
    x = graph.operate("Transpose", ["x"], perm=[1, 0, 2])  # step before window, as ONNX wants it
    if whitening is not None:
        x = graph.operate("Sub", [x, graph.constant("whitening.mean", whitening.mean)])
        x = graph.operate("MatMul", [x, graph.constant("whitening.matrix", whitening.matrix)])
    recent = steps if weight is None else len(weight)
    weighed = None if weight is None else graph.constant("weight", weight.unsqueeze(1))
    last = graph.cut(x, -recent, END, 0)
    errors = []
    for number, member in enumerate(cast("Iterable[LSTMAutoencoder]", ensemble.members)):
        rebuilt = _rebuild(graph, f"member{number}", x, member, steps, recent)
        squares = graph.operate("Mul", [difference := graph.operate("Sub", [rebuilt, last]), difference])
        if weighed is not None:
            squares = graph.operate("Mul", [squares, weighed])
        errors.append(graph.operate("ReduceMean", [squares], axes=[0, 2], keepdims=0))
    features = "c" if whitening is None else whitening.mean.shape[0]
    return Session(graph, ["m", steps, features], graph.operate("Mean", errors))


def _rebuild(graph: Graph, name: str, x: str, autoencoder: LSTMAutoencoder, steps: int, recent: int) -> str:
    """What an autoencoder makes of windows T×M×K: the last so many steps of it."""
    first, second = graph.numbers(0), graph.numbers(1)
    hidden = _lstm(graph, f"{name}.encoder", x, autoencoder.encoder, output=1)
    latent = _linear(graph, f"{name}.latent", graph.operate("Squeeze", [hidden, first]), autoencoder.to_latent)
    repeated = graph.operate("Tile", [graph.operate("Unsqueeze", [latent, first]), graph.numbers(steps, 1, 1)])
    decoded = _lstm(graph, f"{name}.decoder", repeated, autoencoder.decoder, output=0)
    decoded = graph.cut(graph.operate("Squeeze", [decoded, second]), -recent, END, 0)
    return _linear(graph, f"{name}.features", decoded, autoencoder.to_features)


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
