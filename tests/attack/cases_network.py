"""Attacks that talk to somebody: network, local sockets, queues."""

from __future__ import annotations

from tests.attack.case import Case

NETWORK = (
    Case("tcp", "a TCP connection", """
        socket.create_connection(("127.0.0.1", @port@), 1.0)
        return [1.0]""", settle=0.05, fast=True),
    Case(
        "udp_dns", "a datagram, as names are looked up", """
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.sendto(b"secret.example", ("127.0.0.1", @udp@))
        return [1.0]""",
        settle=0.05,
    ),
    Case("unix_socket", "a local socket in the file system", """
        socket.socket(socket.AF_UNIX).connect(@unix@)
        return [1.0]""", settle=0.05),
    Case("abstract_socket", "a local socket without a file", """
        socket.socket(socket.AF_UNIX).connect("\\0" + @abstract@)
        return [1.0]""", settle=0.05, fast=True),
    Case(
        "raw_syscall_socket", "sockets by system call", """
        file, _ = raw((41, 198), 2, 1, 0)
        address = struct.pack("<H", 2) + struct.pack(">H", @port@) + bytes([127, 0, 0, 1]) + bytes(8)
        raw((42, 203), file, address, 16)
        for family in (1, 2, 10, 16, 17, 38, 40):
            reached(f"family {family}", (41, 198), family, 1, 0)
        reached("socketpair", (53, 199), 99, 1, 0, None)
        return [1.0]""",
        settle=0.05,
    ),
    Case(
        "io_uring", "a ring, which would make system calls past a filter", """
        held = ctypes.create_string_buffer(120)
        reached("io_uring_setup", (425, 425), 4, ctypes.addressof(held))
        reached("io_uring_register", (427, 427), -1, 0, None, 0)
        reached("io_setup", (206, 0), 1, ctypes.addressof(held))
        return [1.0]""",
        fast=True,
    ),
    Case(
        "system_v", "shared memory, semaphores and queues of System V and POSIX", """
        held = ctypes.create_string_buffer(64)
        made, _ = raw((29, 194), 0, 4096, 0o1600)
        if made >= 0:
            breach("shmget")
            raw((31, 195), made, 0, None)
        for name, numbers, remove in (("msgget", (68, 186), (71, 187)), ("semget", (64, 190), (66, 191))):
            made, _ = raw(numbers, 0, 0o1600) if name == "msgget" else raw(numbers, 0, 1, 0o1600)
            if made >= 0:
                breach(name)
                raw(remove, made, 0, None) if name == "msgget" else raw(remove, made, 0, 0, None)
        reached("mq_open", (240, 180), b"", 0, 0, None)
        return [1.0]""",
    ),
    Case(
        "hand_over_files", "sending its files to somebody", """
        sender = socket.socket(socket.AF_UNIX)
        sender.connect("\\0" + @abstract@)
        socket.send_fds(sender, [b"x"], [1])
        return [1.0]""",
        settle=0.05,
    ),
    Case(
        "kernel_keys", "the kernel's key ring, which others share", """
        reached("add_key", (248, 217), b"user", b"sldattack", None, 0, -1)
        reached("keyctl", (250, 219), 0, -1, 0, 0, 0)
        reached("request_key", (249, 218), b"user", b"sldattack", None, -1)
        return [1.0]""",
    ),
)  # fmt: skip
