"""What a library exports and needs, read from its file: ELF for Linux, Mach-O for macOS, PE for Windows.

`check` is for libraries that cannot be loaded on the machine that makes them.
"""

import struct
from pathlib import Path
from typing import NamedTuple

from tinynet_fast.kernels.compiler.native import symbol
from tinynet_fast.kernels.compiler.signatures import numbered

# The system's own libraries, and the functions that kernels may call: C's mathematics, and what compilers use.
SYSTEM = ("libc.so", "libm.so", "ld-linux", "/usr/lib/libsystem", "kernel32.dll", "ntdll.dll", "api-ms-win-crt-")
MATHEMATICS = {"exp", "log", "log1p", "expm1", "pow", "tanh", "sqrt", "fmod", "floor", "ceil"}
CALLED = {"exp", "log", "log1p", "pow", "tanh"}  # that the kernels do call: Python's own, or last bits would differ
OTHERS = {
    "memset",
    "memcpy",
    "memmove",
    "sched_yield",
    "__cxa_finalize",
    "__gmon_start__",
    "__bzero",  # macOS on x86-64
    "bzero",  # macOS on arm64: what LLVM makes of a memset to zero there
    "dyld_stub_binder",
}
DATA = {"tinynet_fast_header", "tinynet_fast_array_type", "tinynet_fast_numbers", "tinynet_fast_entries"}


class Read(NamedTuple):
    machine: str
    exported: set[str]
    needed: dict[str, set[str]]  # the libraries, and what is taken from them; from "" what no library is named for
    signed: bool = True


def check(name, path):
    """ValueError if the library of a platform lacks an entry, or needs what the platform does not have."""
    from platforms import PLATFORMS

    found, levels = read(path), PLATFORMS[name].levels
    machine = {"x86-64-v2": "x86-64", "armv8-a": "aarch64"}[levels[0]]
    wanted = DATA | {"tinynet_fast_level"}
    wanted |= {symbol(level, number) for level in levels for number, _, _ in numbered(level)}
    strangers = {each for each in found.needed if each and not each.lower().startswith(SYSTEM)}
    taken = set() if path.suffix == ".dll" else set().union(*found.needed.values()) - MATHEMATICS - OTHERS
    imported = {each for names in found.needed.values() for each in names} & CALLED
    taken = {each for each in taken if not each.startswith("_ITM_")}
    problems = {
        "is for": [] if found.machine == machine else [found.machine],
        "lacks": sorted(wanted - found.exported)[:5],
        "needs the libraries": sorted(strangers),
        "needs": sorted(taken),
        "has its own": sorted(CALLED - imported),
        "is not signed": [] if found.signed else [path.name],
    }
    told = "; ".join(f"{problem} {', '.join(names)}" for problem, names in problems.items() if names)
    if told:
        raise ValueError(f"{path.name} for {name}: it {told}")
    return found


def read(path):
    data = Path(path).read_bytes()
    if data[:4] == b"\x7fELF":
        return _elf(data)
    if data[:4] == b"\xcf\xfa\xed\xfe":
        return _macho(data)
    if data[:2] == b"MZ":
        return _pe(data)
    raise ValueError(f"{path} is no library")


def _text(data, at):
    return data[at : data.index(b"\0", at)].decode()


def _elf(data):
    machine = {62: "x86-64", 183: "aarch64"}.get(struct.unpack_from("<H", data, 18)[0], "another machine")
    start, size, count = struct.unpack_from("<Q", data, 40)[0], *struct.unpack_from("<HH", data, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, start + i * size) for i in range(count)]
    exported, undefined, needed = set(), set(), {}
    for _, kind, _, _, at, length, link, _, _, _ in sections:
        names = sections[link][4] if link < len(sections) else 0
        if kind == 11:  # dynamic symbols
            for place in range(at + 24, at + length, 24):
                name, _, _, section = struct.unpack_from("<IBBH", data, place)
                (exported if section else undefined).add(_text(data, names + name))
        if kind == 6:  # dynamic section
            for place in range(at, at + length, 16):
                tag, value = struct.unpack_from("<qQ", data, place)
                if tag == 1:
                    needed[_text(data, names + value)] = set()
    return Read(machine, exported, needed | {"": undefined})


def _macho(data):
    cpu, _, _, count = struct.unpack_from("<IIII", data, 4)
    machine = {0x01000007: "x86-64", 0x0100000C: "aarch64"}.get(cpu, "another machine")
    at, libraries, exported, undefined, signed = 32, [], set(), set(), False
    for _ in range(count):
        command, size = struct.unpack_from("<II", data, at)
        if command == 0xC:  # LC_LOAD_DYLIB
            libraries.append(_text(data, at + struct.unpack_from("<I", data, at + 8)[0]))
        if command == 0x1D:  # LC_CODE_SIGNATURE
            signed = True
        if command == 2:  # LC_SYMTAB
            symbols, number, names, _ = struct.unpack_from("<IIII", data, at + 8)
            for place in range(symbols, symbols + 16 * number, 16):
                name, kind = struct.unpack_from("<IB", data, place)
                if kind & 1 and not kind & 0xE0:  # external, not for debuggers
                    (exported if kind & 0x0E else undefined).add(_text(data, names + name).removeprefix("_"))
        at += size
    return Read(machine, exported, {each: set() for each in libraries} | {"": undefined}, signed or machine == "x86-64")


def _pe(data):
    pe = struct.unpack_from("<I", data, 60)[0]
    cpu, count = struct.unpack_from("<HH", data, pe + 4)
    optional = struct.unpack_from("<H", data, pe + 20)[0]
    sections = [
        struct.unpack_from("<IIII", data, pe + 24 + optional + 40 * i + 8) for i in range(count)
    ]  # virtual size, address, size, place
    exports, _, imports, _ = struct.unpack_from("<IIII", data, pe + 24 + 112)

    def place(address):
        for size, start, held, at in sections:
            if start <= address < start + max(size, held):
                return at + address - start
        raise ValueError("an address is in no section")

    named, table = struct.unpack_from("<I", data, place(exports) + 24)[0], place(exports) + 32
    names = place(struct.unpack_from("<I", data, table)[0])
    exported = {_text(data, place(struct.unpack_from("<I", data, names + 4 * i)[0])) for i in range(named)}
    needed, at = {}, place(imports)
    while any(data[at : at + 20]):
        looked_up, _, _, library, _ = struct.unpack_from("<IIIII", data, at)
        taken, entry = needed.setdefault(_text(data, place(library)), set()), place(looked_up)
        while value := struct.unpack_from("<Q", data, entry)[0]:
            if not value >> 63:
                taken.add(_text(data, place(value) + 2))
            entry += 8
        at += 20
    return Read({0x8664: "x86-64", 0xAA64: "aarch64"}.get(cpu, "another machine"), exported, needed)
