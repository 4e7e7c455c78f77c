"""The old names of modules, which scripts for Keras 2 import: `from tinynet.layers.core import Dense`.

They are the same modules under a second name; nothing here is new.
"""
from __future__ import annotations

import sys

from tinynet import layers, losses, models, utils

__all__ = ["ALIASES"]

ALIASES = {
    "engine": models,
    "engine.training": models,
    "layers.core": layers,
    "objectives": losses,
    "utils.data_utils": utils,
    "utils.generic_utils": utils,
    "utils.np_utils": utils,
}

for name, module in ALIASES.items():
    sys.modules[f"tinynet.{name}"] = module
    owner, _, last = f"tinynet.{name}".rpartition(".")
    setattr(sys.modules[owner], last, module)
