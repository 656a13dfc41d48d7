"""A virtual machine by QEMU without KVM, whose power can be cut: what its kernel had only in memory is gone then.

What QEMU was told to write is in this machine's page cache, which stays. So a cut shows what the guest's own fsync
calls are worth. What a disk that loses its own cache as well would have kept is in the log that QEMU writes beside the
disk; see `tests.machine.disk.apply_flushed`.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ADDRESS = "10.0.2.15"
OUTSIDE = "10.0.2.2"
"""Of this machine's loopback, as seen from within: QEMU's user-mode network."""
PACKAGES = ("initramfs-tools", "linux-image-cloud-amd64", "udev")
NETWORK = f"[Match]\nType=ether\n[Network]\nAddress={ADDRESS}/24\nGateway={OUTSIDE}\n"
"""For systemd-networkd."""


class Guest:
    """A running virtual machine."""

    def __init__(self, process: "subprocess.Popen[bytes]", console: Path) -> None:
        self._process = process
        self._console = console

    @classmethod
    def boot(
        cls, kernels: Path, disk: Path, *, log: Path, forwarded: Mapping[int, int], options: str = ""
    ) -> Self:
        """Switch it on with the kernel of a folder, and more options for it. `forwarded` are its ports by ports of
        this machine.
        """
        log.write_bytes(b"")
        console = disk.with_suffix(".console")
        command = [*_machine(kernels, options), *_disk(disk, log), *_network(forwarded)]
        with console.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        return cls(process, console)

    @property
    def runs(self) -> bool:
        """Whether it is on."""
        return self._process.poll() is None

    def last_words(self) -> str:
        """The end of what its console shows."""
        return " | ".join(self._console.read_text(errors="replace").splitlines()[-10:])

    def cut(self) -> None:
        """Cut its power. Safe to call twice."""
        self._process.kill()
        self._process.wait()


def _machine(kernels: Path, options: str) -> list[str]:
    (kernel,), (initrd,) = kernels.glob("vmlinuz-*"), kernels.glob("initrd.img-*")
    return [
        "qemu-system-x86_64", "-nographic", "-no-reboot", "-machine", "q35,accel=tcg", "-cpu", "max",
        "-smp", "2", "-m", "768", "-kernel", str(kernel), "-initrd", str(initrd),
        "-append", f"root=/dev/vda rw console=ttyS0 panic=1 quiet {options}", "-device", "virtio-rng-pci",
    ]  # fmt: skip


def _disk(disk: Path, log: Path) -> list[str]:
    """With a write cache that the guest must flush. The log's head is written at a flush, and never else."""
    return [
        "-blockdev", f"driver=file,node-name=disk,filename={disk}",
        "-blockdev", f"driver=file,node-name=log,filename={log}",
        "-blockdev",
        "driver=blklogwrites,node-name=logged,file=disk,log=log,log-super-update-interval=1000000000",
        "-device", "virtio-blk-pci,drive=logged,write-cache=on",
    ]  # fmt: skip


def _network(forwarded: Mapping[int, int]) -> list[str]:
    forwards = "".join(
        f",hostfwd=tcp:127.0.0.1:{here}-{ADDRESS}:{there}" for here, there in forwarded.items()
    )
    return ["-netdev", f"user,id=net{forwards}", "-device", "virtio-net-pci,netdev=net,romfile="]
