"""Pictures of scores: evaluation curves, timelines of clips with their peaks, the loss curve."""

from training.plots.evaluation import plot_evaluation
from training.plots.loss import plot_loss
from training.plots.timeline import plot_timeline

__all__ = ["plot_evaluation", "plot_loss", "plot_timeline"]
