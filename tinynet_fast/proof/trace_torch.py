"""PyTorch's gradients for a traced step, to compare with ours. PyTorch is imported when they are asked for."""

from importlib import import_module
from typing import Any, overload

from tinynet_fast.proof.trace_view import MLPGradients, MLPTrace, NeuronGradients, NeuronTrace


class TorchMissingError(ImportError, ValueError):
    """PyTorch cannot be imported. It is a ValueError too, so that the command line prints it in one line."""


@overload
def torch_gradients(trace: NeuronTrace) -> NeuronGradients: ...
@overload
def torch_gradients(trace: MLPTrace) -> MLPGradients: ...
def torch_gradients(trace: NeuronTrace | MLPTrace) -> NeuronGradients | MLPGradients:
    """The gradients of PyTorch's `loss.backward()` for this step: float64, `binary_cross_entropy`, mean over rows.

    In that loss PyTorch keeps the sigmoid's slope above 1e-12, so its gradient is too small if |z| is above 27.6.

    Raises
    ------
    TorchMissingError
        A ValueError and an ImportError, if PyTorch cannot be imported.
    """
    try:
        torch = import_module("torch")
    except ImportError as error:
        raise TorchMissingError(f"PyTorch cannot be imported ({error}): pip install torch") from None

    def tensor(values: Any) -> Any:
        return torch.tensor(values, dtype=torch.float64)

    if isinstance(trace, NeuronTrace):
        rows, labels, hidden = [trace.inputs], [trace.label], torch.sigmoid
        weights, biases = [[[w] for w in trace.weights_before]], [[trace.bias_before]]
    else:
        rows, labels = [row.inputs for row in trace.rows], [row.label for row in trace.rows]
        weights, biases = trace.weights_before, trace.biases_before
        home = torch if hasattr(torch, trace.activation) else torch.nn.functional
        hidden = torch.nn.Identity() if trace.activation == "identity" else getattr(home, trace.activation)
    w, b = [[tensor(part).requires_grad_() for part in parts] for parts in (weights, biases)]
    signal = tensor(rows)
    for layer in range(len(w)):
        last = layer == len(w) - 1
        signal = (torch.sigmoid if last else hidden)(signal @ w[layer] + b[layer])
    torch.nn.functional.binary_cross_entropy(signal[:, 0], tensor(labels)).backward()
    if isinstance(trace, NeuronTrace):
        return NeuronGradients(weights=w[0].grad[:, 0].tolist(), bias=b[0].grad.item())
    return MLPGradients(weights=[part.grad.tolist() for part in w], biases=[part.grad.tolist() for part in b])
