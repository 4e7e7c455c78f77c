"""What a model can do, under names that Keras 2.3.1 has kept from its earlier versions; nothing here is new."""
from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["OlderNames"]


class OlderNames:
    """fit, evaluate and predict for generators, and predict for classes."""

    def fit_generator(self: Any, generator, steps_per_epoch=None, epochs=1, verbose=1, callbacks=None,
                      validation_data=None, validation_steps=None, validation_freq=1, class_weight=None,
                      max_queue_size=10, workers=1, use_multiprocessing=False, shuffle=True, initial_epoch=0):
        """`fit`, under the name it had for generators."""
        return self.fit(generator, epochs=epochs, verbose=verbose, callbacks=callbacks, validation_data=validation_data,
                        shuffle=shuffle, class_weight=class_weight, initial_epoch=initial_epoch,
                        steps_per_epoch=steps_per_epoch, validation_steps=validation_steps,
                        validation_freq=validation_freq)

    def evaluate_generator(self: Any, generator, steps=None, callbacks=None, max_queue_size=10, workers=1,
                           use_multiprocessing=False, verbose=0):
        """`evaluate`, under the name it had for generators."""
        return self.evaluate(generator, steps=steps, callbacks=callbacks, verbose=verbose)

    def predict_generator(self: Any, generator, steps=None, callbacks=None, max_queue_size=10, workers=1,
                          use_multiprocessing=False, verbose=0) -> np.ndarray:
        """`predict`, under the name it had for generators."""
        return self.predict(generator, steps=steps, callbacks=callbacks, verbose=verbose)

    def predict_classes(self: Any, x, batch_size=None, verbose=0) -> np.ndarray:
        """The likeliest class of each sample; for a single output 1 where it is above one half, as (N, 1)."""
        p = self.predict(x, batch_size, verbose)
        return p.argmax(axis=-1) if p.shape[-1] > 1 else (p > 0.5).astype("int32")

    def predict_proba(self: Any, x, batch_size=None, verbose=0) -> np.ndarray:
        """`predict`, for outputs that are probabilities."""
        return self.predict(x, batch_size, verbose)
