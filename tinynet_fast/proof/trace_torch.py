"""PyTorch's gradients for a traced step, to compare with ours. PyTorch is imported when they are asked for."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, overload

from tinynet_fast.proof.trace_view import MLPGradients, MLPTrace, NeuronGradients, NeuronTrace

# The mean loss in PyTorch's own words: of its functions F, the sums z, the predictions p, what is true, and the shape.
LOSSES: dict[tuple[bool, str], Callable[..., Any]] = {  # by whether labels are learned, and the loss's name
    (True, "log_loss"): lambda F, z, p, y, _: F.binary_cross_entropy(p, y),
    (True, "squared_error"): lambda F, z, p, y, _: F.mse_loss(p, y),
    (True, "hinge"): lambda F, z, p, y, _: (1.0 - (2.0 * y - 1.0) * z).clamp(min=0.0).mean(),
    (True, "focal"): lambda F, z, p, y, gamma: (
        (y - p).abs() ** gamma * F.binary_cross_entropy_with_logits(z, y, reduction="none")
    ).mean(),
    (False, "squared_error"): lambda F, z, p, y, _: F.mse_loss(p, y) / 2.0,
    (False, "huber"): lambda F, z, p, y, delta: F.huber_loss(p, y, delta=delta),
    (False, "absolute_error"): lambda F, z, p, y, _: F.l1_loss(p, y),
    (False, "quantile"): lambda F, z, p, y, q: (q * F.relu(y - p) + (1.0 - q) * F.relu(p - y)).mean(),
    (False, "poisson"): lambda F, z, p, y, _: F.poisson_nll_loss(z, y, log_input=True),
}


class TorchMissingError(ImportError, ValueError):
    """PyTorch cannot be imported. It is a ValueError too, so that the command line prints it in one line."""


@overload
def torch_gradients(trace: NeuronTrace) -> NeuronGradients: ...
@overload
def torch_gradients(trace: MLPTrace) -> MLPGradients: ...
def torch_gradients(trace: NeuronTrace | MLPTrace) -> NeuronGradients | MLPGradients:
    """The gradients of PyTorch's `loss.backward()` for this step: float64, mean over rows.

    Cross-entropy is `binary_cross_entropy`, as in tutorials. There PyTorch keeps the sigmoid's slope above 1e-12, so
    its gradient is too small if |z| is above 27.6. For numbers the squared error is half of `mse_loss`.

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
        z = signal @ w[layer] + b[layer]
        signal = hidden(z)  # of the last layer it is not used
    z = z[:, 0]
    prediction = torch.sigmoid(z) if trace.output == "sigmoid" else torch.exp(z) if trace.output == "exp" else z
    loss = LOSSES[trace.truth == "label", trace.loss_name]
    loss(torch.nn.functional, z, prediction, tensor(labels), trace.loss_shape).backward()
    if isinstance(trace, NeuronTrace):
        return NeuronGradients(weights=w[0].grad[:, 0].tolist(), bias=b[0].grad.item())
    return MLPGradients(weights=[part.grad.tolist() for part in w], biases=[part.grad.tolist() for part in b])
