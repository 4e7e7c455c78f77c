"""What happens around training: each callback's hooks are called as the epochs and batches go by."""
from tinynet.callbacks.base import Callback, CallbackList, LambdaCallback
from tinynet.callbacks.checkpoints import BackupAndRestore, ModelCheckpoint
from tinynet.callbacks.logs import CSVLogger, History, ProgbarLogger, TestLogger
from tinynet.callbacks.monitors import EarlyStopping, LearningRateScheduler, ReduceLROnPlateau, TerminateOnNaN

__all__ = ["BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback",
           "LearningRateScheduler", "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "TerminateOnNaN",
           "TestLogger"]
