"""Callbacks: objects whose hooks are called at the beginning and end of training, epochs and batches."""
from tinynet.callbacks.base import Callback, CallbackList, LambdaCallback
from tinynet.callbacks.checkpoints import BackupAndRestore, ModelCheckpoint
from tinynet.callbacks.history import CSVLogger, History
from tinynet.callbacks.monitors import EarlyStopping, LearningRateScheduler, ReduceLROnPlateau, TerminateOnNaN
from tinynet.callbacks.progress import ProgbarLogger, TestLogger

__all__ = ["BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback",
           "LearningRateScheduler", "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "TerminateOnNaN",
           "TestLogger"]
