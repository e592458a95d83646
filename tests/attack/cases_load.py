"""Attacks that use up what everybody needs: processes, memory, disk, time, the evaluator's patience."""

from __future__ import annotations

from tests.attack.case import Case

_SPIN = ("wall-time", "cpu-time")

LOAD = (
    Case(
        "fork_bomb", "many processes (50 at most)", """
        made = 0
        for _ in range(50):
            if os.fork() == 0:
                time.sleep(4)
                os._exit(0)
            made += 1
            breach(f"{made} processes") if made in (1, 50) else None
        return [1.0]""",
        fast=True,
    ),
    Case(
        "fork_by_system_call", "processes by fork, vfork, clone and clone3", """
        def child(what, result):
            if result == 0:
                os._exit(0)
            if result > 0:
                breach(what)
        child("fork", raw((57, None))[0])
        child("clone", raw((56, 220), 17, None, None, None, None)[0])
        child("clone as another parent's", raw((56, 220), 17 | 0x8000, None, None, None, None)[0])
        arguments = struct.pack("<8Q", 0, 0, 0, 0, 17, 0, 0, 0)
        child("clone3", raw((435, 435), arguments, len(arguments))[0])
        return [1.0]""",
        ways=("subprocess",),
    ),
    Case(
        "clone3", "a process by clone3, whose flags a filter cannot see", """
        arguments = struct.pack("<8Q", 0, 0, 0, 0, 17, 0, 0, 0)
        result, _ = raw((435, 435), arguments, len(arguments))
        if result == 0:
            os._exit(0)
        if result > 0:
            breach("clone3")
        return [1.0]""",
    ),
    Case(
        "thread_bomb", "many threads (400 at most)", """
        for k in range(400):
            threading.Thread(target=time.sleep, args=(1.5,), daemon=True).start()
        breach("400 threads")
        return [1.0]""",
        fast=True,
    ),
    Case(
        "memory_bomb", "more memory than allowed", """
        held = [np.ones(1 << 20) for _ in range(24)]
        breach(f"holds {len(held) * 8} MB")
        return [1.0]""",
        memory=128 << 20, kinds=("memory",), fast=True,
    ),
    Case(
        "mmap_shared_bomb", "more shared memory than allowed", """
        held = []
        for _ in range(12):
            page = mmap.mmap(-1, 32 << 20)
            page.write(bytes(32 << 20))
            held.append(page)
        breach(f"holds {len(held) * 32} MB")
        return [1.0]""",
        memory=256 << 20, kinds=("memory", "error"),
    ),
    Case(
        "memfd_bomb", "memory that counts as a file", """
        for name in ("a", "b"):
            file = os.memfd_create(name)
            os.write(file, bytes(32 << 20))
            breach(f"{name}: {os.fstat(file).st_size >> 20} MB")
        return [1.0]""",
        fast=True,
    ),
    Case(
        "pipe_bomb", "memory in pipes and socket buffers", """
        import fcntl
        for file in (1, 2, 3):
            attempt(lambda: breach(f"a pipe of {fcntl.fcntl(file, 1031, 1 << 20)} bytes"))
        for _ in range(20):
            ends = os.pipe()
            fcntl.fcntl(ends[1], 1031, 1 << 20)
            breach("a new pipe")
        return [1.0]""",
    ),
    Case("cpu_spin", "an endless loop", "while True: pass", wall=0.5, kinds=_SPIN, ways=("thread",), fast=True),
    Case(
        "cpu_spin_ignore_signals", "an endless loop that cannot be asked to stop", """
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True:
            pass""",
        wall=0.5, kinds=_SPIN,
    ),
    Case(
        "blocked_signals", "sleeping with every signal blocked", """
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        time.sleep(6)""",
        wall=0.5, kinds=_SPIN,
    ),
    Case(
        "sleep_forever", "never coming back", "time.sleep(6)\nreturn [1.0]", wall=0.5, kinds=_SPIN, ways=("thread",)
    ),
    Case(
        "stop_itself", "stopping, so that a polite end never comes", """
        os.kill(os.getpid(), signal.SIGSTOP)
        return [1.0]""",
        wall=0.5, kinds=("wall-time", ""), fast=True,
    ),
    Case(
        "gil_hog_c", "C code that never lets another thread run", """
        ctypes.PyDLL(None).sleep(6)
        return [1.0]""",
        wall=0.5, kinds=_SPIN, ways=("thread",),
    ),
    Case(
        "big_number", "one instruction that takes for ever", "x = 7 ** (7 ** 9)\nreturn [1.0]",
        wall=0.5, kinds=_SPIN, ways=("thread", "alarm"),
    ),
    Case(
        "drip", "an answer one byte at a time", """
        data = frame({"arrays": [["params/0", [1]]], "values": {}, "failure": None}, bytes(8))
        for byte in data:
            os.write(3, bytes([byte]))
            time.sleep(0.2)
        os._exit(0)""",
        wall=0.7, kinds=_SPIN, ways=(), uncontrolled="that an evaluator waits is no breach; here the wall clock must end it",
    ),
    Case(
        "disk_10gb", "filling the disk (50 MB at most)", """
        for folder in (@folder@, "/tmp", "/var/tmp", ".", os.path.dirname(np.__file__)):
            def fill():
                with open(os.path.join(folder, @mark@), "wb") as file:
                    for _ in range(5):
                        file.write(bytes(2 << 20))
                breach(f"disk {folder}")
            attempt(fill)
        return [1.0]""",
        fast=True,
    ),
    Case(
        "inode_bomb", "very many files (200)", """
        for k in range(200):
            open(os.path.join(@folder@, f"{@mark@}-{k}"), "w").close()
        return [1.0]""",
    ),
    Case("dev_shm", "files in shared memory", """
        open("/dev/shm/" + @mark@, "wb").write(bytes(1 << 20))
        return [1.0]"""),
    Case(
        "stdout_flood", "printing without end (40 MB at most)", """
        for _ in range(640):
            os.write(1, b"x" * 65536)
        return [1.0]""",
        log=16384, kinds=("flood",), fast=True,
    ),
    Case(
        "stderr_flood", "printing errors without end and without a line's end", """
        for _ in range(640):
            os.write(2, b"\\xff\\x00\\x1b[31m" * 8192)
        return [1.0]""",
        log=16384, kinds=("flood",),
    ),
    Case("huge_result", "an answer of 48 MB", "return np.ones(6 << 20)", kinds=("too-large",), fast=True),
    Case(
        "huge_error", "an exception whose text has 20 MB", "raise ValueError('x' * (20 << 20))", kinds=("error",)
    ),
    Case(
        "endless_error_text", "an exception whose text never ends", """
        class Slow(Exception):
            def __str__(self):
                while True:
                    pass
        raise Slow()""",
        wall=0.5, kinds=_SPIN, ways=("thread",),
    ),
    Case(
        "priorities", "pushing itself forward: priority, scheduler, processors", """
        attempt(lambda: breach(f"nice {os.setpriority(os.PRIO_PROCESS, 0, -5)}"))
        attempt(lambda: breach(f"slower {os.setpriority(os.PRIO_PROCESS, @sibling@, 5)}"))
        attempt(lambda: breach(f"affinity {os.sched_setaffinity(0, {0})}"))
        attempt(lambda: breach(f"another's affinity {os.sched_setaffinity(@sibling@, {0})}"))
        attempt(lambda: breach(f"batch {os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))}"))
        reached("sched_setattr", (314, 274), 0, None, 0)
        reached("ioprio_set", (251, 30), 1, 0, 2 << 13)
        reached("mlockall", (151, 230), 0)
        return [1.0]""",
        fast=True,
    ),
    Case(
        "timers", "timers that outlive the call, or hurt the evaluator", """
        reached("timer_create", (222, 107), 99, None, None)
        reached("timerfd_create", (283, 85), 99, 0)
        reached("setitimer", (38, 103), 9, None, None)
        return [1.0]""",
    ),
    Case(
        "rlimit_raise", "raising its own limits", """
        import resource
        for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NPROC):
            soft, hard = resource.getrlimit(kind)
            attempt(lambda: resource.setrlimit(kind, (-1, -1)))
            if resource.getrlimit(kind)[0] == -1:
                breach(f"no limit {kind}")
        limits = struct.pack("<2Q", 2**64 - 1, 2**64 - 1)
        reached("by system call", (302, 261), 0, 1, limits, None)
        reached("by the old system call", (160, 164), 1, limits)
        reached("limits of another", (302, 261), @sibling@, 1, limits, None)
        return [1.0]""",
        fast=True,
    ),
)  # fmt: skip
