"""Compile the kernels for platforms and instruction-set levels: `python native/compile.py --help`.

Numba compiles each entry in the same way as at a first call, but without its runtime, because kernels allocate nothing.
What it does with the kernels' Python, half of the work, does not depend on the platform or the level, and is done once
(`record.py`).
LLVM then optimises the same code for each level, and writes it for each platform that has the level.

For each kernel there is also a function that Python can call (`entry.py`). Only these functions are visible outside the
object file. Several processes share the work, one a CPU.
"""

import argparse
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import wait
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from kept import get, key, put, tidy
from platforms import LEVELS, PLATFORMS
from record import only_record, quickly, record

from tinynet_fast.kernels.compiler.native import symbol
from tinynet_fast.kernels.compiler.signatures import numbered

# Kernels that are in one object file, which has one copy of the parts that they share. For networks this is half.
SHARED = {
    "fast.networks": ("fast.network_team.", "fast.network.", "fast.penalised_passes."),
    "fast.groups_of_networks": ("fast.many_networks.",),
    "plain": ("strict.", "portable."),
}
# Object files that one process makes, because their kernels have parts in common: with those that take longest first.
FAMILIES = (
    ("fast.networks", "fast.narrow_network."),
    ("fast.neuron.narrow_epochs", "fast.neuron."),
    ("fast.many_neurons.", "fast.segments."),
    ("fast.regularized_neuron.",),
    ("plain",),
    ("fast.groups_of_networks",),
    ("exact.", "fast.sparse."),
    ("",),
)


# --- what to compile --------------------------------------------------------------------------------------------------


def kernels_of(level):
    """The signatures that the library has for a level, by kernel."""
    found: dict[str, list[str]] = {}
    for _, kernel, signature in numbered(level):
        found.setdefault(kernel, []).append(signature)
    return found


def units_of(level):
    """The kernels of each object file for a level, each with its signatures, by the file's name."""
    found: dict[str, dict[str, list[str]]] = {}
    for kernel, signatures in kernels_of(level).items():
        unit = next((name for name, starts in SHARED.items() if kernel.startswith(starts)), kernel)
        found.setdefault(unit, {})[kernel] = signatures
    return found


def object_files(levels):
    """The names of the object files for these levels."""
    return [f"{unit}.{level}.o" for level in levels for unit in units_of(level)]


def build(levels, triples, folder):
    """Write the object files that `object_files` names into a folder for each of LLVM's triples, or into the one."""
    wanted: dict[str, list] = {}
    for triple, its_levels in triples.items():
        place = folder / triple if len(triples) > 1 else folder
        place.mkdir(parents=True, exist_ok=True)
        for level in (each for each in its_levels if each in levels):
            for unit, kernels in units_of(level).items():
                path, name = place / f"{unit}.{level}.o", key(kernels, level, triple)
                data = get(name)
                path.unlink(missing_ok=True)
                if data is None:
                    wanted.setdefault(unit, []).append((level, triple, str(path), name))
                else:
                    path.write_bytes(data)
    print(f"{len(wanted)} object files are to be made for each level; others were kept from earlier builds", flush=True)
    if wanted:
        compile_all(families(wanted))
        tidy()


def families(wanted):
    """The object files of each family with their targets, in the families' order."""
    found = [[] for _ in FAMILIES]
    for unit, targets in wanted.items():
        matches = [
            (i, j) for i, family in enumerate(FAMILIES) for j, start in enumerate(family) if unit.startswith(start)
        ]
        found[matches[0][0]].append((matches[0][1], unit, targets))
    return [[task[1:] for task in sorted(family, key=lambda task: task[0])] for family in found if family]


def compile_all(tasks):
    """Compile families of kernels, each in a new process. OSError if one fails."""
    prepare()
    context = multiprocessing.get_context("fork" if hasattr(os, "fork") and sys.platform != "darwin" else "spawn")
    count, running, started = cpus(), {}, time.time()
    while tasks or running:
        while tasks and len(running) < count:
            family = tasks.pop(0)
            process = context.Process(target=compile_family, args=(family, started))
            process.start()
            running[process.sentinel] = process, family
        for sentinel in wait(list(running)):
            process, family = running.pop(sentinel)
            process.join()
            rest = [(unit, [t for t in targets if not os.path.exists(t[2])]) for unit, targets in family]
            rest = [(unit, targets) for unit, targets in rest if targets]
            if process.exitcode or rest == family:
                for other, _ in running.values():
                    other.terminate()
                sys.exit(f"{rest[0][0]} could not be compiled")
            if rest:
                tasks.insert(0, rest)


def compile_family(family, started):
    """Compile kernels one after the other, and print what is done."""
    for unit, targets in family:
        levels = compile_unit(unit, targets)
        print(f"{time.time() - started:5.0f} s: {unit}, {' '.join(levels)}", flush=True)


def cpus():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# --- one object file --------------------------------------------------------------------------------------------------


def prepare():
    """Import and set up what all processes need. Where processes are forked, they have it from the start."""
    os.environ |= {"TINYNET_FAST_NATIVE": "0"}
    from llvmlite import binding as llvm

    from tinynet_fast.kernels.compiler import jit, simd_llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    if not simd_llvm.is_kept:
        only_record()
        quickly()
        simd_llvm.is_kept = True
        jit.EXTRA.update(cache=False, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
        jit.kernel(lambda x: x[0]).dispatcher.compile(jit.numba_types("d1"))  # Numba looks for its own functions


def compile_unit(unit, targets):
    """Write an object file for each target, and return the levels for which it was written.

    Code that asks how many lanes the CPU has is not the same for all levels. After a kernel that asks, a process only
    writes the levels with as many lanes as the first, and leaves the others to another process.
    """
    from tinynet_fast.kernels.compiler import simd_llvm

    prepare()
    simd_llvm.kept_lanes = simd_llvm.kept_lanes or lanes(targets[-1][0])
    signatures, recorded = {}, {}
    for level in dict.fromkeys(level for level, *_ in targets):
        for kernel, words in units_of(level)[unit].items():
            signatures.setdefault(kernel, set()).update(words)
    for kernel, words in signatures.items():
        recorded |= {(kernel, each): overload for each, overload in record(kernel, words).items()}
    if simd_llvm.asked_for_lanes:
        targets = [target for target in targets if lanes(target[0]) == simd_llvm.kept_lanes]
    for level in dict.fromkeys(target[0] for target in targets):
        code = None
        for _, triple, path, name in (target for target in targets if target[0] == level):
            if code is None:
                code = optimised_entries(level, triple, units_of(level)[unit], recorded).as_bitcode()
            data = object_code(code, level, triple)
            put(name, data)
            Path(path).write_bytes(data)
    return list(dict.fromkeys(target[0] for target in targets))


def lanes(level):
    """The doubles of a register, as `simd.lanes_of_cpu` has it."""
    return min(4, LEVELS[level][2])


# --- LLVM -------------------------------------------------------------------------------------------------------------


def machine_for(level, triple):
    from llvmlite import binding as llvm

    cpu, features, _ = LEVELS[level]
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=3, reloc="pic", codemodel="small"
    )


def passes(machine, speed, vectorize):
    """LLVM's passes. Loops are not unrolled: kernels are written in blocks of rows and of lanes as they should be."""
    from llvmlite import binding as llvm

    options = llvm.create_pipeline_tuning_options(speed_level=speed)
    options.loop_vectorization, options.slp_vectorization, options.loop_unrolling = vectorize, False, False
    return llvm.create_pass_builder(machine, options)


def optimised_entries(level, triple, kernels, recorded):
    """The code of some kernels and of their entries. It is the same for other triples of the same processor."""
    named = {symbol(level, n): (name, words) for n, name, words in numbered(level) if name in kernels}
    return joined(level, triple, {entry: (recorded[key], key[1]) for entry, key in named.items()})


def joined(level, triple, wanted):
    """The code of some kernels, with one copy of what they share. `wanted` is what Numba made of each, and its
    signature, by the name of its entry."""
    from llvmlite import binding as llvm

    from tinynet_fast.kernels.compiler import simd_llvm

    machine, seen = machine_for(level, triple), set()
    look_ups = str(simd_llvm.look_up_functions("+avx512f" in LEVELS[level][1]))
    whole = for_machine(machine, llvm.parse_assembly(look_ups))
    for entry, (overload, signature) in wanted.items():
        gather(overload.library, whole, machine, seen)
        whole.link_in(simple(machine, llvm.parse_assembly(entry_code(overload, entry, signature, level))))
    optimise(whole, machine)
    keep_to_itself(whole, wanted)
    manager = llvm.create_new_module_pass_manager()
    manager.add_dead_arg_elimination_pass()  # much of what Numba tells of an array is not used
    manager.add_global_dead_code_eliminate_pass()
    manager.add_constant_merge_pass()
    manager.add_merge_functions_pass()
    manager.run(whole, passes(machine, 0, False))
    return whole


def entry_code(overload, entry, signature, level):
    import entry as written
    from numba.core.registry import cpu_target

    write = written.plain_entry_code if level == "wasm32" else written.entry_code
    return write(cpu_target.target_context, overload, entry, signature.split())


def object_code(code, level, triple):
    """The object file for a triple of a processor for which the code was optimised."""
    from llvmlite import binding as llvm

    machine = machine_for(level, triple)
    return machine.emit_object(for_machine(machine, llvm.parse_bitcode(code)))


def for_machine(machine, module):
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    return module


def gather(library, whole, machine, seen):
    """Link a library that was recorded, and what it calls, into a module, unless the module has `seen` it.

    Of several functions with the same name the linker keeps one. They are not the module's own yet: LLVM puts a
    function that has one caller into it whatever its size, and networks' code would be a fifth larger.
    """
    from llvmlite import binding as llvm

    if library in seen:
        return
    seen.add(library)
    kept = library.__dict__.setdefault("simplified", [])
    if not kept:
        kept += [simple(machine, llvm.parse_assembly(code)).as_bitcode() for code in library.recorded]
    for code in kept:
        module = for_machine(machine, llvm.parse_bitcode(code))
        for function in module.functions:
            if not function.is_declaration and function.linkage.name in ("external", "linkonce_odr"):
                function.linkage = "weak_odr"
        whole.link_in(module)
    for called in dict.fromkeys(library._linking_libraries):
        gather(called, whole, machine, seen)


def simple(machine, module):
    """A module after LLVM's passes of single functions."""
    builder = passes(machine, 3, True)
    manager = builder.getFunctionPassManager()
    for function in for_machine(machine, module).functions:
        manager.run(function, builder)
    return module


def optimise(module, machine):
    """Run the passes that Numba has LLVM run, once over everything.

    Numba runs them for each library by itself, and again in all that call it. This took three times as long.
    """
    cheap = passes(machine, 0, False)
    manager = cheap.getModulePassManager()
    manager.add_loop_rotate_pass()
    manager.add_instruction_combine_pass()
    manager.add_jump_threading_pass()
    manager.run(module, cheap)
    full = passes(machine, 3, True)
    full.getModulePassManager().run(module, full)


def keep_to_itself(module, exported):
    """Hide everything that the module defines, except what is exported. Nothing throws, so no tables for that."""
    for defined in (*module.functions, *module.global_variables):
        if not defined.is_declaration and defined.name not in exported:
            defined.linkage = "internal"
    for function in module.functions:
        if not function.is_declaration:
            function.add_function_attribute("nounwind")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the object files go")
    parser.add_argument("--levels", help="instruction-set levels, with commas between them; all of the platform's")
    parser.add_argument("--platforms", default="", help="names of platforms.py, with commas; this machine")
    arguments = parser.parse_args()
    if arguments.platforms:
        chosen = {PLATFORMS[name].triple: PLATFORMS[name].levels for name in arguments.platforms.split(",")}
    else:
        from llvmlite import binding as llvm

        chosen = {llvm.get_default_triple(): tuple(LEVELS)}
    levels = arguments.levels.split(",") if arguments.levels else [each for its in chosen.values() for each in its]
    build(levels, chosen, arguments.folder)
