"""Two machines in one: network namespaces, and a cable between them whose bandwidth and latency are known.

    with Hosts(bandwidth=125e6, latency=1e-3) as hosts:
        subprocess.run([*hosts.mpiexec("mpiexec", 1), "python", "train.py"], env=os.environ | hosts.environment)

Needs Linux, root, and the commands ip and tc.
"""
import collections
import contextlib
import os
import select
import signal
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ADDRESSES = "10.0.0.1", "10.0.0.2"
LARGEST_PACKET = 65000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000       # linux/if_tun.h
LAUNCH = """#!/bin/sh
# mpiexec calls this in place of ssh: launch [-x] HOST COMMAND ...
while [ "${1#-}" != "$1" ]; do shift; done
host=$1
shift
exec ip netns exec "%s-$host" sh -c "$*"
"""


class Hosts:
    """Two hosts, until the with-block ends.  bandwidth in bytes a second, latency in seconds.

    Without latency the cable is one of the kernel, whose bandwidth tc limits.  With latency it is a thread of this
    process, because netem, by which tc delays packets, is not in every kernel; it carries 4 Gbit/s at most.

    Raises OSError if this system does not allow it.
    """

    # All traffic goes by TCP: MPI would notice that both are one machine, and use its memory.
    environment = {"UCX_TLS": "tcp,self", "FI_PROVIDER": "tcp"}

    def __init__(self, bandwidth=None, latency=0.0):
        self.bandwidth, self.latency = bandwidth, latency
        self.name = f"tinynet{os.getpid()}"
        self.hosts = [f"{self.name}-{address}" for address in ADDRESSES]
        self.devices = [f"tiny{os.getpid()}-{i}" for i in range(2)]
        self.folder = tempfile.TemporaryDirectory()
        self.launcher = Path(self.folder.name) / "launch"
        self.ends, self.thread, self.stopped = [], None, threading.Event()

    def __enter__(self):
        self.launcher.write_text(LAUNCH % self.name)
        self.launcher.chmod(0o755)
        try:
            for host in self.hosts:
                run(f"ip netns add {host}")
            self._plug_thread_in() if self.latency else self._plug_cable_in()
            for host, address, device in zip(self.hosts, ADDRESSES, self.devices):
                run(f"ip -n {host} addr add {address}/24 dev {device}")
                run(f"ip -n {host} link set {device} up")
                run(f"ip -n {host} link set lo up")
            for host, device in zip(self.hosts, self.devices):
                while "LOWER_UP" not in run(f"ip -n {host} link show {device}"):
                    time.sleep(0.01)        # such a cable is there a little later than both of its ends
            if self.latency:
                self.thread = threading.Thread(target=self._carry, daemon=True)
                self.thread.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stopped.set()
        if self.thread:
            self.thread.join()
        for end in self.ends:
            os.close(end)
        for host in self.hosts:
            left = subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True).stdout
            for process in map(int, left.split()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", host], capture_output=True)
        self.folder.cleanup()

    def mpiexec(self, mpiexec, ranks_per_host):
        """The words that start a program on both hosts."""
        return ["ip", "netns", "exec", self.hosts[0], mpiexec, "-launcher", "ssh", "-launcher-exec",
                str(self.launcher), "-hosts", ",".join(ADDRESSES), "-ppn", str(ranks_per_host), "-n",
                str(2 * ranks_per_host)]

    def bytes_sent(self):
        """By both hosts."""
        return sum(int(run(f"ip netns exec {host} cat /sys/class/net/{device}/statistics/tx_bytes"))
                   for host, device in zip(self.hosts, self.devices))

    def cut(self):
        """Pull the cable out of the first host."""
        run(f"ip -n {self.hosts[0]} link set {self.devices[0]} down")

    def _plug_cable_in(self):
        (host, other), (device, end) = self.hosts, self.devices
        run(f"ip link add {device} netns {host} type veth peer name {end} netns {other}")
        for host, device in zip(self.hosts, self.devices) if self.bandwidth else ():
            run(f"ip netns exec {host} tc qdisc add dev {device} root tbf rate {8 * self.bandwidth:.0f} "
                f"burst {max(self.bandwidth / 1000, 2 * LARGEST_PACKET):.0f} latency 50ms")

    def _plug_thread_in(self):
        import fcntl
        for host, device in zip(self.hosts, self.devices):
            self.ends.append(os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK))
            fcntl.ioctl(self.ends[-1], TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
            run(f"ip link set {device} netns {host}")
            run(f"ip -n {host} link set {device} mtu {LARGEST_PACKET}")     # few packets take few turns of the loop

    def _carry(self):
        """Give each end what the other one has sent, when it would come out of such a cable."""
        on_the_way = {end: collections.deque() for end in self.ends}        # to this end: (when, packet)
        free = dict.fromkeys(self.ends, 0.0)        # when the last bit for this end will have been sent
        other = dict(zip(self.ends, reversed(self.ends)))
        while not self.stopped.is_set():
            due = min((queue[0][0] for queue in on_the_way.values() if queue), default=time.monotonic() + 0.1)
            for end in select.select(self.ends, [], [], max(due - time.monotonic(), 0))[0]:
                packet, to = os.read(end, LARGEST_PACKET), other[end]
                free[to] = max(time.monotonic(), free[to]) + len(packet) / (self.bandwidth or float("inf"))
                on_the_way[to].append((free[to] + self.latency, packet))
            for end, queue in on_the_way.items():
                while queue and queue[0][0] <= time.monotonic():
                    os.write(end, queue.popleft()[1])


def run(command):
    """What these words print when they are run.  Raises OSError, with what they say, if they fail."""
    result = subprocess.run(command.split(), capture_output=True, text=True)
    if result.returncode:
        raise OSError(f"{command}: {result.stderr.strip()}")
    return result.stdout
