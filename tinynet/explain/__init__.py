"""One training step seen from inside: a record of it, as a table, and as a page with the sum behind every number."""
from tinynet.explain.record import (Explanation, LayerRecord, explain_step, gradients, loss_and_gradient,
                                    raise_nonfinite_loss)

__all__ = ["Explanation", "LayerRecord", "explain_step", "gradients", "loss_and_gradient", "raise_nonfinite_loss"]
