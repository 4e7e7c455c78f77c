"""Methods of a model that Keras 2.3.1 has kept from earlier versions, and errors for names that tinynet 0.1 had."""
from __future__ import annotations

import numpy as np


def reject_renamed(thing, **renamed):
    """Raise TypeError for a class that defines what tinynet 0.1 called by these names: it would be ignored."""
    for old, new in renamed.items():
        found = getattr(thing, old, backward)
        if getattr(found, "__func__", found) is not backward:
            raise TypeError(f"{type(thing).__name__} defines {old}, which is called {new} now: rename it.")


def backward(model, dy):
    """Raise TypeError: in tinynet 0.1 a training step of one's own called it."""
    raise TypeError("A training step of your own calls model.compute_gradients(x, y, weights), apply_gradients() and "
                    "update_state(), in this order; model.backward is gone.")


def fit_generator(model, generator, steps_per_epoch=None, epochs=1, verbose=1, callbacks=None, validation_data=None,
                  validation_steps=None, validation_freq=1, class_weight=None, max_queue_size=10, workers=1,
                  use_multiprocessing=False, shuffle=True, initial_epoch=0):
    """`fit`, under its name for generators."""
    return model.fit(generator, epochs=epochs, verbose=verbose, callbacks=callbacks, validation_data=validation_data,
                     shuffle=shuffle, class_weight=class_weight, initial_epoch=initial_epoch,
                     steps_per_epoch=steps_per_epoch, validation_steps=validation_steps,
                     validation_freq=validation_freq)


def evaluate_generator(model, generator, steps=None, callbacks=None, max_queue_size=10, workers=1,
                       use_multiprocessing=False, verbose=0):
    """`evaluate`, under its name for generators."""
    return model.evaluate(generator, steps=steps, callbacks=callbacks, verbose=verbose)


def predict_generator(model, generator, steps=None, callbacks=None, max_queue_size=10, workers=1,
                      use_multiprocessing=False, verbose=0) -> np.ndarray:
    """`predict`, under its name for generators."""
    return model.predict(generator, steps=steps, callbacks=callbacks, verbose=verbose)


def predict_classes(model, x, batch_size=None, verbose=0) -> np.ndarray:
    """The most probable class of each sample; for a single output 1 where it is above one half, as (N, 1)."""
    p = model.predict(x, batch_size, verbose)
    return p.argmax(axis=-1) if p.shape[-1] > 1 else (p > 0.5).astype("int32")


def predict_proba(model, x, batch_size=None, verbose=0) -> np.ndarray:
    """`predict`, for outputs that are probabilities."""
    return model.predict(x, batch_size, verbose)
