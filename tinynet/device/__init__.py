"""Where arrays live and what computes on them: NumPy on the CPU's threads, or CuPy on an NVIDIA GPU."""
from tinynet.device.arrays import announce, device_name, host_array, on_gpu, stream, synchronize, to_numpy, working, xp

__all__ = ["announce", "device_name", "host_array", "on_gpu", "stream", "synchronize", "to_numpy", "working", "xp"]
