"""The system calls that programs may make, compiled by libseccomp (through `pyseccomp`).

A list of what is allowed, so that what the kernel learns next year is refused. Refused calls fail
with EPERM as Python programs expect of a locked machine; those that the C library replaces by an
older call fail with ENOSYS, which makes it do so. There is no way to start a process, to send a
signal, to open a socket (but for a pair that is connected to itself), to look into or change
another process, to mount, or to change the mode, owner or times of a file (which Landlock cannot
forbid).
"""

from __future__ import annotations

import errno
import functools
import os
import tempfile
from typing import Any

ALLOWED = """
    read write readv writev pread64 pwrite64 lseek close dup dup2 dup3 pipe pipe2
    open openat openat2 creat access faccessat faccessat2 stat lstat fstat newfstatat statx statfs
    fstatfs getdents getdents64 getcwd chdir fchdir readlink readlinkat ftruncate fallocate fsync
    fdatasync flock umask mkdir mkdirat rmdir rename renameat renameat2 unlink unlinkat symlink
    symlinkat link linkat copy_file_range sendfile splice
    mmap munmap mprotect mremap madvise brk msync mincore
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend
    sigaltstack pause alarm setitimer getitimer restart_syscall
    nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times
    futex futex_waitv set_robust_list get_robust_list rseq set_tid_address arch_prctl membarrier
    sched_yield sched_getaffinity getcpu exit exit_group
    poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait
    epoll_pwait2 eventfd eventfd2
    getpid gettid getppid getpgrp getpgid getsid getuid geteuid getgid getegid getgroups getresuid
    getsockname getpeername getsockopt shutdown recvfrom
    getresgid getpriority getrlimit getrusage uname sysinfo getrandom setrlimit capget
"""
"""Calls that are allowed with any argument. Descriptors of other processes are never open."""

FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1032)
"""fcntl commands: duplicate, flags, locks and pipe size; none that sends a signal."""

IOCTL = (0x5401, 0x5413, 0x5421, 0x5450, 0x5451, 0x541B)
"""ioctl requests: is it a terminal, its size, non-blocking, close-on-exec, bytes to read."""

CLONE_THREAD = 0x00010000

AF_UNIX, SOCK_STREAM, SOCK_TYPE = 1, 1, 0xF
"""A pair of these is connected to itself for good; event loops wake themselves up by it."""

REPLACED = ("clone3", "fchmodat2", "io_uring_setup")
"""Calls that the C library or Python does without."""


@functools.cache
def compile_filter() -> bytes:
    """Return the filter as the kernel takes it, for the machine's own architecture.

    Raises:
        ImportError: `pyseccomp` or the library that it needs is not installed.
        OSError: the library refuses.
    """
    import pyseccomp as seccomp

    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    for name in ALLOWED.split():
        _add(rules, seccomp, seccomp.ALLOW, name)
    for name in REPLACED:
        _add(rules, seccomp, seccomp.ERRNO(errno.ENOSYS), name)
    for command in FCNTL:
        _add(rules, seccomp, seccomp.ALLOW, "fcntl", seccomp.Arg(1, seccomp.EQ, command))
    for request in IOCTL:
        _add(rules, seccomp, seccomp.ALLOW, "ioctl", seccomp.Arg(1, seccomp.EQ, request))
    thread = seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, CLONE_THREAD)
    _add(rules, seccomp, seccomp.ALLOW, "clone", thread)
    pair = seccomp.Arg(0, seccomp.EQ, AF_UNIX)
    stream = seccomp.Arg(1, seccomp.MASKED_EQ, SOCK_TYPE, SOCK_STREAM)
    _add(rules, seccomp, seccomp.ALLOW, "socketpair", pair, stream)
    nowhere_else = seccomp.Arg(4, seccomp.EQ, 0)
    _add(rules, seccomp, seccomp.ALLOW, "sendto", nowhere_else)
    # A limit may be read, of the process itself.
    own, reading = seccomp.Arg(0, seccomp.EQ, 0), seccomp.Arg(2, seccomp.EQ, 0)
    _add(rules, seccomp, seccomp.ALLOW, "prlimit64", own, reading)
    return _exported(rules)


def _add(rules: Any, seccomp: Any, action: int, name: str, *arguments: Any) -> None:
    """Add a rule; a call that this architecture or library does not know stays refused."""
    try:
        number = seccomp.resolve_syscall(seccomp.system_arch(), name)
    except (ValueError, OSError):
        return
    if number >= 0:
        rules.add_rule(action, name, *arguments)


def _exported(rules: Any) -> bytes:
    """Return the compiled filter."""
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.flush()
        size = os.fstat(file.fileno()).st_size
        return os.pread(file.fileno(), size, 0)
