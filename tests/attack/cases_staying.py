"""Attacks that outlive their call: processes, threads, files, libraries, and whatever a next call would see."""

from __future__ import annotations

from tests.attack.case import Case

STAYING = (
    Case(
        "daemon_survivor", "a process that leaves the session and goes on", """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(0.2)
                open(os.path.join(@folder@, @mark@), "w").close()
                time.sleep(5)
            os._exit(0)
        return [1.0]""",
        settle=0.4, fast=True,
    ),
    Case(
        "late_thread", "a thread that acts when the answer is given", """
        def later():
            time.sleep(0.2)
            open(os.path.join(@folder@, @mark@), "w").close()
        threading.Thread(target=later).start()
        return [1.0]""",
        settle=0.4,
    ),
    Case("atexit_write", "acting at the process's end", """
        import atexit
        atexit.register(lambda: open(os.path.join(@folder@, @mark@), "w").close())
        return [1.0]""", fast=True),
    Case(
        "del_write", "acting when an object is cleared away", """
        class Last:
            def __del__(self, open=open, place=os.path.join(@folder@, @mark@)):
                open(place, "w").close()
        sys.last = Last()
        return [1.0]""",
    ),
    Case(
        "late_alarm", "a signal handler that acts later", """
        signal.signal(signal.SIGALRM, lambda *_: open(os.path.join(@folder@, @mark@), "w").close())
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        time.sleep(0.3)
        return [1.0]""",
        settle=0.2,
    ),
    Case(
        "time_bomb", "harmless while it is fitted, everything at once when it predicts other rows", "return [1.0]", """
        if X.min() > 150.0:
            attempt(lambda: leak(read(@home@ + "/.ssh/id_rsa")))
            attempt(lambda: open(os.path.join(@folder@, @mark@), "w").close())
            attempt(lambda: socket.create_connection(("127.0.0.1", @port@), 1.0))
        return np.full(len(X), p[0])""",
        settle=0.05, fast=True,
    ),
    Case(
        "stash_between_calls", "keeping the training targets for the prediction, past the parameters", """
        import builtins, math
        builtins.stash = np.stash = math.stash = sys.stash = json.stash = y.tolist()
        os.environ["STASH"] = "x"
        for place in (os.path.join(@folder@, @mark@), "/tmp/" + @mark@, "/dev/shm/" + @mark@, @mark@):
            attempt(lambda: open(place, "w").write("stash"))
        attempt(lambda: sys.modules["program"].__dict__.update(stash=1))
        return [1.0]""",
        """
        import builtins, math
        if any(hasattr(m, "stash") for m in (builtins, np, math, sys, json)) or "STASH" in os.environ:
            breach("remembers")
        for place in (os.path.join(@folder@, @mark@), "/tmp/" + @mark@, "/dev/shm/" + @mark@, @mark@):
            attempt(lambda: breach(f"finds {open(place).read()}"))
        return np.full(len(X), p[0])""",
        fast=True,
    ),
    Case(
        "page_cache", "what is in memory of a library's file: moved out by one call, looked at by the next", """
        page = mmap.mmap(-1, mmap.PAGESIZE)
        address, held = ctypes.addressof(ctypes.c_char.from_buffer(page)), ctypes.create_string_buffer(1)
        reached("mincore", (27, 232), address, mmap.PAGESIZE, ctypes.addressof(held))
        for name, advice in (("willneed", 3), ("cold", 20), ("pageout", 21), ("populate", 22)):
            reached(f"madvise {name}", (28, 233), address, mmap.PAGESIZE, advice)
        with open(np.__file__, "rb") as file:
            reached("fadvise", (221, 223), file.fileno(), 0, 0, 4)
            reached("readahead", (187, 213), file.fileno(), 0, 4096)
            reached("preadv2", (327, 286), file.fileno(), None, 0, 0, 0, 8)
        return [1.0]""",
        fast=True,
    ),
    Case(
        "patch_metrics", "making the evaluator's metric say one", """
        for module in list(sys.modules.values()):
            if hasattr(module, "r2"):
                module.r2 = lambda *_: 1.0
        for frame in sys._current_frames().values():
            while frame is not None:
                if "r2" in frame.f_globals:
                    frame.f_globals["r2"] = lambda *_: 1.0
                frame = frame.f_back
        return [1.0]""",
        "return np.full(len(X), p[0])", ways=("thread",), fast=True,
    ),
    Case(
        "zygote_poison", "numpy and the guest's own modules rewritten for the next call", """
        np.mean = np.linalg.lstsq = np.column_stack = lambda *arguments, **more: 0.0
        np.var = lambda *_: 1e300
        for name in ("frames", "drivers", "lockdown", "child", "program", "seccomp", "tape", "zygote", "law"):
            module = sys.modules.get(name)
            for word, value in list(vars(module).items()) if module is not None else ():
                if callable(value) and not word.startswith("__"):
                    setattr(module, word, lambda *arguments, **more: None)
        os._exit(0) if "drivers" in sys.modules else None
        return [1.0]""",
        "return np.full(len(X), p[0])", ways=("thread",), fast=True,
    ),
    Case(
        "poison_memory", "constants of the interpreter changed in place", """
        one = 1.0
        ctypes.c_double.from_address(id(np.float64(1.0)) + 16).value = 1.0
        held = np.frombuffer((ctypes.c_char * 8).from_address(id(257) + 24), dtype="u1")
        place = id(7) + 24
        ctypes.c_int.from_address(place).value = 8
        os._exit(0)""",
        ways=(), uncontrolled="a process of its own is what every candidate but the thread's has; the thread's ends at once",
    ),
    Case(
        "poison_library", "a library that the next process loads", """
        attempt(lambda: open(@lib@, "a").write("VALUE = 2\\n"))
        for place in (np.__file__, os.__file__, sys.executable):
            attempt(lambda: breach(f"may write {open(place, 'ab')}"))
        attempt(lambda: open(os.path.join(os.path.dirname(np.__file__), @mark@ + ".py"), "w"))
        return [1.0]""",
        fast=True,
    ),
    Case(
        "byte_code_cache", "compiled code beside a library", """
        import importlib.util
        place = importlib.util.cache_from_source(@lib@)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        open(place, "wb").write(b"x")
        return [1.0]""",
    ),
    Case(
        "chmod_rename_unlink", "files of others changed, moved and removed", """
        victim = os.path.join(@folder@, "victim")
        attempt(lambda: os.chmod(victim, 0o600), lambda: os.utime(victim, (1, 1)), lambda: os.truncate(victim, 1))
        attempt(lambda: os.rename(victim, victim + "2"), lambda: os.unlink(victim + "2"), lambda: os.unlink(victim))
        attempt(lambda: os.mkdir(victim + "3"), lambda: os.mkfifo(victim + "4"), lambda: os.mknod(victim + "5"))
        attempt(lambda: os.setxattr(@lib@, "user.x", b"y"), lambda: os.chown(@lib@, 0, 0))
        return [1.0]""",
        fast=True,
    ),
    Case(
        "core_file", "a core file with its memory", """
        import resource
        attempt(lambda: resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)))
        attempt(lambda: os.chdir(@folder@))
        os.abort()""",
        kinds=("signal",), settle=0.1,
    ),
    Case(
        "hide_name", "another name and place: prctl name, working folder, root", """
        attempt(lambda: breach(f"folder {os.chdir(@home@)} {os.getcwd()}"), lambda: leak(os.listdir(".")))
        attempt(lambda: breach(f"mask {os.umask(0)}"))
        return [1.0]""",
    ),
)  # fmt: skip
