"""Pictures of training and of models. Each function draws on a matplotlib `Axes` and returns it.

Curves and labels differ in line style or marker, not only in colour, so that pictures can be read in greyscale.
"""

from tinynet_fast.plots.boundary import decision_boundary
from tinynet_fast.plots.columns import can_show_weights, contributions
from tinynet_fast.plots.drawing import DARK, LIGHT, MIDDLE, MOST_NAMED, MOST_POINTS, STYLES, check_name, save
from tinynet_fast.plots.losses import learning_rates, loss_curves
from tinynet_fast.plots.numbers import predictions, residuals
from tinynet_fast.plots.quality import calibration_curve, confusion, precision_recall, roc, thresholds

__all__ = [
    "DARK",
    "LIGHT",
    "MIDDLE",
    "MOST_NAMED",
    "MOST_POINTS",
    "STYLES",
    "calibration_curve",
    "can_show_weights",
    "check_name",
    "confusion",
    "contributions",
    "decision_boundary",
    "learning_rates",
    "loss_curves",
    "precision_recall",
    "predictions",
    "residuals",
    "roc",
    "save",
    "thresholds",
]
