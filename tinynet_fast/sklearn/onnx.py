"""Importing this module lets skl2onnx convert the estimators, alone and in pipelines. It needs skl2onnx.

`tinynet_fast.sklearn` imports this module by itself if skl2onnx was imported before. The converters are skl2onnx's own
for scikit-learn's classes, because the attributes are the same.
"""

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np

try:
    from onnx import TensorProto
    from skl2onnx import update_registered_converter
    from skl2onnx.common._apply_operation import apply_cast, apply_exp, apply_identity
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )
    from skl2onnx.operator_converters.linear_regressor import convert_sklearn_linear_regressor
    from skl2onnx.operator_converters.multilayer_perceptron import _predict, convert_sklearn_mlp_classifier
    from skl2onnx.operator_converters.sgd_classifier import convert_sklearn_sgd_classifier
except ImportError as error:
    raise ImportError("tinynet_fast.sklearn.onnx needs skl2onnx: pip install skl2onnx") from error

from tinynet_fast.sklearn.mlp import MLPClassifier
from tinynet_fast.sklearn.mlp_regressor import MLPRegressor
from tinynet_fast.sklearn.sgd import SGDClassifier
from tinynet_fast.sklearn.sgd_regressor import SGDRegressor

OPTIONS = {"zipmap": [True, False, "columns"], "nocl": [True, False], "output_class_labels": [False, True]}


def convert_sgd_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Like skl2onnx's converter, but for more than two classes the label is the one with the largest sum.

    skl2onnx takes the largest probability. Far from the boundaries all probabilities are 0 or 1, and the first of equal
    ones wins: on the unscaled rows of `load_wine`, 62% of the labels were wrong.
    """
    before = len(container.nodes)
    convert_sklearn_sgd_classifier(scope, operator, container)
    if len(operator.raw_operator.classes_) > 2:
        made = container.nodes[before:]
        sums = next(node.output[0] for node in made if node.op_type == "Add")  # the intercepts: the first sum
        next(node for node in made if node.op_type == "ArgMax").input[0] = sums


def convert_mlp_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Like skl2onnx's converter, but of several outputs too (it makes one column of them), and of loss="poisson"."""
    model, rows = operator.raw_operator, operator.inputs[0]
    if model.out_activation_ == "exp":
        model = copy(model)
        model.out_activation_ = "identity"
    kind = TensorProto.DOUBLE if isinstance(rows.type, DoubleTensorType) else TensorProto.FLOAT
    sums = _predict(scope, rows.full_name, container, model, proto_dtype=kind)
    apply = apply_identity if operator.raw_operator.out_activation_ == "identity" else apply_exp
    apply(scope, sums, operator.outputs[0].full_name, container)


def network_shapes(operator: Any) -> None:
    """(n, n_outputs), of the type of the rows."""
    kind = DoubleTensorType if isinstance(operator.inputs[0].type, DoubleTensorType) else FloatTensorType
    operator.outputs[0].type = kind([operator.inputs[0].get_first_dimension(), operator.raw_operator.n_outputs_])


def as_numpy(convert: Callable[[Any, Any, Any], None]) -> Callable[[Any, Any, Any], None]:
    """Return a converter. If the weights are float64, its graph calculates in float64, as NumPy does, on any rows.

    skl2onnx calculates in the type of the rows. In float32 small probabilities become 0. If they are 0 for all classes,
    each class gets the same share: on the unscaled rows of `load_digits`, a probability of 1.0 became 0.1.
    """

    def converter(scope: Any, operator: Any, container: Any) -> None:
        model, rows = operator.raw_operator, operator.inputs[0]
        weights = model.coef_ if hasattr(model, "coef_") else model.coefs_[0]
        if weights.dtype != np.float64 or isinstance(rows.type, DoubleTensorType):
            convert(scope, operator, container)
            return
        inner = scope.declare_local_operator(operator.type, model)  # skl2onnx converts it afterwards, by the first case
        wide = scope.declare_local_variable("rows", DoubleTensorType(rows.type.shape))
        inner.inputs.append(wide)
        apply_cast(scope, rows.full_name, wide.full_name, container, to=TensorProto.DOUBLE)
        for output in operator.outputs:
            numbers = isinstance(output.type, FloatTensorType)  # not labels
            kind = DoubleTensorType() if numbers else output.type
            found = scope.declare_local_variable("found", kind)
            inner.outputs.append(found)
            if numbers:
                apply_cast(scope, found.full_name, output.full_name, container, to=TensorProto.FLOAT)
            else:
                apply_identity(scope, found.full_name, output.full_name, container)

    return converter


def register() -> None:
    """Tell skl2onnx how the estimators are converted. The import of this module calls it."""
    classifier, regressor = calculate_linear_classifier_output_shapes, calculate_linear_regressor_output_shapes
    for model, shapes, convert, options in (
        (SGDClassifier, classifier, convert_sgd_classifier, OPTIONS | {"raw_scores": [True, False]}),
        (MLPClassifier, classifier, convert_sklearn_mlp_classifier, OPTIONS),
        (SGDRegressor, regressor, convert_sklearn_linear_regressor, None),
        (MLPRegressor, network_shapes, convert_mlp_regressor, None),
    ):
        update_registered_converter(model, f"TinynetFast{model.__name__}", shapes, as_numpy(convert), options=options)


register()
