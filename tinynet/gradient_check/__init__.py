"""Gradient checks: every backward pass is compared with numeric derivatives of the forward pass.

Each layer is checked by itself, so that the report names the one that is wrong. Checks work on float64 copies: a model,
its random streams and its running statistics do not change.
"""
from tinynet.gradient_check.compare import relative_error
from tinynet.gradient_check.function import check_function
from tinynet.gradient_check.loss import check_loss, check_regularizer
from tinynet.gradient_check.layer import check_layer
from tinynet.gradient_check.model import check_model
from tinynet.gradient_check.numeric import central, complex_step, numeric_gradient, richardson
from tinynet.gradient_check.report import Entry, GradientReport, assert_gradients

__all__ = ["Entry", "GradientReport", "assert_gradients", "central", "check_function", "check_layer", "check_loss",
           "check_model", "check_regularizer", "complex_step", "numeric_gradient", "relative_error", "richardson"]
