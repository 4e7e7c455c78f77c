"""Plots of data, training and predictions; each function returns a matplotlib Figure.

In a notebook `%matplotlib inline` shows them. matplotlib is imported when a plot is drawn.
"""
from tinynet.plotting.boundary import plot_boundaries, plot_boundary
from tinynet.plotting.figures import has_chinese_glyphs
from tinynet.plotting.film import animate_training
from tinynet.plotting.gradients import plot_gradient_flow, plot_step_size
from tinynet.plotting.images import plot_confusion_matrix, plot_mistakes, plot_samples
from tinynet.plotting.training import plot_comparison, plot_history

__all__ = ["animate_training", "has_chinese_glyphs", "plot_boundaries", "plot_boundary", "plot_comparison",
           "plot_confusion_matrix", "plot_gradient_flow", "plot_history", "plot_mistakes", "plot_samples",
           "plot_step_size"]
