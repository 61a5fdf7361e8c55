"""What Numba makes of kernels before LLVM sees it: `record` returns it, and no machine code is made.

Numba's own Python takes half of the time of a build. `quickly` replaces the parts of it that took most; the recorded
code is the same. Nothing of this runs when Numba compiles a kernel at its first call.
"""

import copy
import gc
from importlib import import_module


def record(kernel, signatures):
    """What Numba makes of a kernel, by signature."""
    from tinynet_fast.kernels.compiler import jit

    module, _, name = kernel.rpartition(".")
    function, recorded = getattr(import_module(f"tinynet_fast.kernels.{module}"), name), {}
    for signature in sorted(signatures):
        kinds = jit.numba_types(signature)
        function.dispatcher.compile(kinds)
        recorded[signature] = function.dispatcher.overloads[kinds]
    return recorded


def only_record():
    """Have Numba keep the text that it makes of a function, instead of optimising it and putting it into memory."""
    from numba.core import cgutils
    from numba.core.codegen import JITCodeLibrary, JITCPUCodegen

    def keep(self, module):
        self.__dict__.setdefault("recorded", []).append(cgutils.normalize_ir_text(str(module)))

    def finalize(self):
        self._finalized = True

    JITCodeLibrary.add_ir_module = keep
    JITCodeLibrary.finalize = finalize
    JITCodeLibrary.get_pointer_to_function = lambda self, name: 1
    JITCPUCodegen.set_env = lambda self, name, environment: None


def quickly():
    """Replace the parts of Numba that took most of the time."""
    list_variables()
    copy_variables()
    inline_again()
    forget_entry_variables()
    resolve_again()
    compare_flags()
    gc.freeze()  # what was imported is there to stay
    gc.set_threshold(100_000, 20, 100)


def list_variables():
    """List the variables of an instruction without asking for each field whether it is one of six types."""
    from numba.core import ir

    def of_fields(fields, found):
        for value in fields:
            kind = type(value)
            if kind is ir.Var:
                found.append(value)
            elif kind in (list, tuple):
                of_fields(value, found)
            elif kind is dict:
                of_fields(value.values(), found)
            elif isinstance(value, ir.Inst):
                found.extend(value.list_vars())
        return found

    ir.Inst._rec_list_vars = lambda self, value: of_fields((value,), [])
    ir.Stmt.list_vars = lambda self: of_fields(self.__dict__.values(), [])
    ir.Expr.list_vars = lambda self: of_fields(self._kws.values(), [])


def copy_variables():
    """Copy a function that is inlined without copying each variable's place in the source.

    Numba copies all variables once for each block. That took a quarter of the time for networks' kernels.
    """
    from numba.core import ir

    def scope_copied(self, memo):
        made = memo[id(self)] = ir.Scope(copy.deepcopy(self.parent, memo), self.loc)
        for name, variable in self.localvars._con.items():
            made.localvars._con[name] = memo[id(variable)] = ir.Var(made, variable.name, variable.loc)
        made.redefined.update(self.redefined)
        made.var_redefinitions.update({name: set(names) for name, names in self.var_redefinitions.items()})
        return made

    ir.Loc.__deepcopy__ = lambda self, memo: self
    ir.Scope.__deepcopy__ = scope_copied


def inline_again():
    """Read a function that is inlined once, and not for each call: `inline_ir` works on a copy."""
    from numba.core.inline_closurecall import InlineWorker

    read, kept = InlineWorker.run_untyped_passes, {}

    def read_once(self, function, enable_ssa=False):
        self.flags.enable_ssa = enable_ssa  # as `read` leaves it
        key = function, enable_ssa
        if key not in kept:
            kept[key] = read(self, function, enable_ssa)
        return kept[key]

    InlineWorker.run_untyped_passes = read_once


def forget_entry_variables():
    """Leave out which variables are alive where a block begins: only generators and Python's objects need it."""
    from numba.core import postproc, transforms

    def run(self, emit_dels=False, extend_lifetimes=False):
        self.func_ir.blocks = transforms.canonicalize_cfg(self.func_ir.blocks)
        self.func_ir.variable_lifetime = postproc.VariableLifetime(self.func_ir.blocks)
        self.func_ir.generator_info = None
        if emit_dels:
            self._insert_var_dels(extend_lifetimes=extend_lifetimes)

    postproc.PostProcessor.run = run


def resolve_again():
    """Find once what a function of numbers returns, such as +, for these types of numbers."""
    from numba.core import types

    find = types.Function.get_call_type

    def found_once(self, context, args, kws):
        if kws or not all(isinstance(kind, types.Number | types.Boolean) for kind in args):
            return find(self, context, args, kws)
        kept = self.__dict__.setdefault("found", {})
        if args not in kept:
            kept[args] = find(self, context, args, kws)
        return kept[args]

    types.Function.get_call_type = found_once


def compare_flags():
    """Compare the flags of two functions without asking a property for each flag."""
    from numba.core.targetconfig import TargetConfig

    defaults = {}

    def values(self):
        kind = type(self)
        if kind not in defaults:
            defaults[kind] = {name: option.default for name, option in kind.options.items()}
        return defaults[kind] | self._values

    TargetConfig.values = values
