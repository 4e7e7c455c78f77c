"""Is every hand-written derivative right?  backward is compared with slopes that come from forward alone.

Each layer is checked by itself, so that the report names the one that is wrong.  Nothing here knows any derivative, and
all works on float64 copies: a model, its random streams and its running means stay as they are.
"""
from tinynet.gradient_check.compare import relative_error
from tinynet.gradient_check.formula import check_loss, check_regularizer
from tinynet.gradient_check.layer import check_layer
from tinynet.gradient_check.model import check_model
from tinynet.gradient_check.numeric import central, complex_step, numeric_gradient, richardson
from tinynet.gradient_check.report import Entry, GradientReport, assert_gradients

__all__ = ["Entry", "GradientReport", "assert_gradients", "central", "check_layer", "check_loss", "check_model",
           "check_regularizer", "complex_step", "numeric_gradient", "relative_error", "richardson"]
