"""Attacks that read what they must not: files, keys, other processes, held-out data."""

from __future__ import annotations

from tests.attack.case import Case

_ALL = ("subprocess", "thread")
_NAME = "without a name space of its own, the host's name can be asked"
_STAT = "without a private file system, that a path exists and how large it is can be seen, not what is in it"

READING = (
    Case(
        "read_shadow", "the system's password file", """
        if b":" in read("/etc/shadow"):
            breach("shadow")
        return [1.0]""",
        as_root=True,
    ),
    Case("read_ssh_key", "a private key in the user's home", 'leak(read(@home@ + "/.ssh/id_rsa"))\nreturn [1.0]', fast=True),
    Case("env_api_key", "a key in its own environment", "leak(dict(os.environ))\nreturn [1.0]", ways=_ALL, fast=True),
    Case(
        "environ_parent", "keys in the environment of evaluator, parent and first process", """
        for process in (@pid@, os.getppid(), 1, "self", "thread-self"):
            attempt(lambda: leak(read(f"/proc/{process}/environ")))
        return [1.0]""",
        fast=True,
    ),
    Case(
        "mem_parent", "the evaluator's memory by /proc", """
        with open("/proc/@pid@/mem", "rb", 0) as file:
            file.seek(@address@)
            leak(file.read(@length@))
        return [1.0]""",
        fast=True,
    ),
    Case(
        "ptrace_parent", "the evaluator's memory by ptrace", """
        libc.ptrace.restype = ctypes.c_long
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        if libc.ptrace(0x4206, @pid@, None, None) == 0:
            libc.ptrace(0x4207, @pid@, None, None)
            os.waitpid(@pid@, 0x40000000)
            words = [libc.ptrace(2, @pid@, @address@ + 8 * k, None) for k in range(3)]
            leak(b"".join(struct.pack("<q", word) for word in words))
            libc.ptrace(17, @pid@, None, None)
        return [1.0]""",
    ),
    Case(
        "process_vm_readv", "the evaluator's and a sibling's memory by process_vm_readv", """
        class Piece(ctypes.Structure):
            _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))
        held = ctypes.create_string_buffer(@length@)
        here, there = Piece(ctypes.addressof(held), @length@), Piece(@address@, @length@)
        count, _ = raw((310, 270), @pid@, ctypes.addressof(here), 1, ctypes.addressof(there), 1, 0)
        if count > 0:
            leak(held.raw)
        reached("reads a sibling", (310, 270), @sibling@, ctypes.addressof(here), 1, ctypes.addressof(there), 1, 0)
        return [1.0]""",
        fast=True,
    ),
    Case(
        "process_vm_writev", "writing into the evaluator's memory", """
        class Piece(ctypes.Structure):
            _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))
        held = ctypes.create_string_buffer(1)
        here, there = Piece(ctypes.addressof(held), 1), Piece(1, 1)
        for process in (@pid@, @sibling@, os.getppid()):
            reached(f"writes into {process}", (311, 271), process, ctypes.addressof(here), 1, ctypes.addressof(there), 1, 0)
        return [1.0]""",
    ),
    Case(
        "test_data_on_disk", "held-out targets in a file", "return np.loadtxt(@data@)", "return p[: len(X)]", fast=True
    ),
    Case(
        "test_data_in_frames", "held-out targets in the evaluator's frames", """
        for frame in sys._current_frames().values():
            while frame is not None:
                if "y_test" in frame.f_locals:
                    return np.array(frame.f_locals["y_test"])
                frame = frame.f_back
        return [1.0]""",
        "return p[: len(X)] if len(p) > 1 else np.ones(len(X))", ways=("alarm",), fast=True,
    ),
    Case(
        "test_data_in_objects", "held-out targets and tokens among all Python objects", """
        for thing in gc.get_objects():
            for part in gc.get_referents(thing) if isinstance(thing, (dict, list, tuple)) else ():
                if isinstance(part, str) and "id_rsa" not in part and len(part) == 24 and part.isalnum():
                    leak(part)
                if isinstance(part, list) and len(part) == 40 and all(isinstance(v, float) and v < 100 for v in part):
                    return np.array(part)
        return [1.0]""",
        "return p[: len(X)] if len(p) > 1 else np.ones(len(X))", ways=("thread", "alarm"),
    ),
    Case(
        "fd_scan", "files that were left open", """
        for file in range(1024):
            try:
                leak(os.pread(file, 4096, 0))
            except OSError:
                pass
        return [1.0]""",
        ways=("thread",), fast=True,
    ),
    Case(
        "host_name", "the host's name", """
        if @host@ in (os.uname().nodename, socket.gethostname()):
            breach("knows the host")
        return [1.0]""",
        leaks={"no namespaces": _NAME, "filter alone": _NAME, "jax, no namespaces": _NAME},
    ),
    Case("dir_listing_home", "names of the user's files", "leak(os.listdir(@home@))\nreturn [1.0]"),
    Case(
        "stat_home", "that a file exists, and its size", """
        size = os.stat(@data@).st_size
        breach(f"size {size > 0}")
        return [1.0]""",
        leaks={"no namespaces": _STAT, "filter alone": _STAT, "jax, no namespaces": _STAT},
    ),
    Case(
        "symlink_escape", "a key through a symbolic and a hard link", """
        place = os.path.join(@folder@, @mark@)
        attempt(lambda: os.symlink(@home@ + "/.ssh/id_rsa", place), lambda: leak(read(place)))
        attempt(lambda: os.link(@data@, place + "2"), lambda: leak(read(place + "2")))
        return [1.0]""",
        fast=True,
    ),
    Case(
        "paths_around", "a key by odd paths: dots, doubled slashes, /proc/self/root, relative to a library", """
        key = @home@ + "/.ssh/id_rsa"
        up = "/.." * 12
        places = ["//" + key, up + key, "/proc/self/root" + key, "/proc/1/root" + key, "/proc/thread-self/cwd" + key,
                  os.path.dirname(np.__file__) + up + key, "/proc/@pid@/root" + key]
        for place in places:
            attempt(lambda: leak(read(place)))
        base = os.open(os.path.dirname(np.__file__), os.O_RDONLY)
        attempt(lambda: leak(os.read(os.open(up[1:] + key, os.O_RDONLY, dir_fd=base), 100)))
        return [1.0]""",
    ),
    Case(
        "openat2", "a key by openat2, which a filter cannot look into", """
        how = ctypes.create_string_buffer(24)
        path = (@home@ + "/.ssh/id_rsa").encode()
        file = reached("openat2", (437, 437), -100, path, ctypes.addressof(how), 24)
        if file >= 0:
            leak(os.read(file, 100))
        return [1.0]""",
    ),
    Case(
        "o_path", "a descriptor that reads nothing, to be used otherwise", """
        breach(f"O_PATH {os.open(@home@, os.O_PATH)}")
        return [1.0]""",
        fast=True,
    ),
    Case(
        "open_tree_and_friends", "other ways to a file: open_tree, name_to_handle_at, fsopen", """
        path = (@home@ + "/.ssh/id_rsa").encode()
        held = ctypes.create_string_buffer(128)
        reached("open_tree", (428, 428), -100, path, 0)
        reached("name_to_handle_at", (303, 264), -100, path, ctypes.addressof(held), ctypes.addressof(held), 0)
        reached("fsopen", (430, 430), b"tmpfs", 0)
        reached("inotify_init1", (294, 26), 0)
        reached("fanotify_init", (300, 262), 0, 0)
        reached("quotactl", (179, 60), -1, None, 0, None)
        return [1.0]""",
    ),
    Case(
        "o_path_reopened", "a key by a descriptor of O_PATH", """
        file = os.open(@home@ + "/.ssh/id_rsa", os.O_PATH)
        attempt(lambda: leak(os.read(file, 100)))
        attempt(lambda: leak(read(f"/proc/self/fd/{file}")), lambda: leak(read(f"/dev/fd/{file}")))
        where = os.open(@home@, os.O_PATH)
        attempt(lambda: leak(os.listdir(where)))
        attempt(lambda: leak(os.read(os.open(".ssh/id_rsa", os.O_RDONLY, dir_fd=where), 100)))
        return [1.0]""",
        fast=True,
    ),
    Case(
        "map_files", "numpy's and Python's own ways to read a file", """
        key = @home@ + "/.ssh/id_rsa"
        attempt(lambda: leak(np.memmap(key, dtype="u1", mode="r").tobytes()))
        attempt(lambda: leak(np.fromfile(key, dtype="u1").tobytes()))
        attempt(lambda: leak(libc_text(key)))
        import linecache, zlib
        attempt(lambda: leak("".join(linecache.getlines(key))))
        return [1.0]""",
        top="""
        def libc_text(path):
            libc.fopen.restype = ctypes.c_void_p
            file = libc.fopen(path.encode(), b"r")
            held = ctypes.create_string_buffer(100)
            libc.fgets(held, 100, ctypes.c_void_p(file)) if file else None
            return held.value
        """,
    ),
    Case(
        "devices", "raw disks, memory and the kernel's log", """
        for place in ("/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/proc/kcore", "/proc/kmsg", "/proc/kallsyms"):
            attempt(lambda: breach(f"{place} {os.open(place, os.O_RDONLY)}"))
        held = ctypes.create_string_buffer(64)
        reached("syslog", (103, 116), 10, ctypes.addressof(held), 64)
        return [1.0]""",
    ),
    Case(
        "pidfd_getfd", "a file out of the evaluator's hands", """
        for process in (@pid@, @victim@, @sibling@, os.getppid()):
            handle, _ = raw((434, 434), process, 0)
            if handle < 0:
                continue
            breach(f"holds process {process}")
            for number in range(3, 12):
                file, _ = raw((438, 438), handle, number, 0)
                if file >= 0:
                    attempt(lambda: leak(os.pread(file, 4096, 0)))
        reached("pidfd_getfd", (438, 438), 0, 0, 0)
        return [1.0]""",
        fast=True,
    ),
    Case(
        "sibling_job", "another candidate's job, files and environment by /proc", """
        for process in (@sibling@, @victim@):
            for name in ("environ", "maps", "cmdline", *(f"fd/{k}" for k in range(12))):
                attempt(lambda: leak(read(f"/proc/{process}/{name}")))
        return [1.0]""",
        fast=True,
    ),
    Case(
        "evaluator_files", "jobs of other candidates in the evaluator's files", """
        for name in os.listdir(f"/proc/{@pid@}/fd"):
            attempt(lambda: leak(read(f"/proc/{@pid@}/fd/{name}")))
        attempt(lambda: leak(os.readlink(f"/proc/{@pid@}/cwd")), lambda: breach("sees the evaluator's folder"))
        return [1.0]""",
    ),
    Case(
        "ptrace_sibling", "another candidate by ptrace", """
        for process in (@sibling@, @victim@):
            if libc.ptrace(0x4206, process, None, None) == 0:
                breach(f"traces {process}")
                libc.ptrace(17, process, None, None)
        reached("ptrace", (101, 117), 0x4206, @sibling@, None, None)
        return [1.0]""",
        fast=True,
    ),
    Case(
        "parent_objects", "the zygote's sockets and plans among all Python objects", """
        for thing in gc.get_objects():
            if isinstance(thing, socket.socket) and thing.fileno() >= 0:
                try:
                    thing.send(b"x")
                except OSError:
                    continue
                breach("sends on a socket that it found")
        return [1.0]""",
        ways=("thread",),
    ),
)  # fmt: skip
