"""Numba's part of `simd.py`: the type `Lanes`, its operators in kernels, and functions that write their own code."""

import inspect
import operator

from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, models, register_model

from tinynet_fast.kernels.compiler.lanes_llvm import ARITHMETIC, BITS, COMPARISONS, Lanes, Memory, Value


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.ArrayType(kind.vector, kind.registers))


def _taken(context, builder, kind, argument):
    """An argument of Numba's as functions of lanes take it."""
    if isinstance(kind, types.Omitted):
        return kind.value
    if isinstance(kind, types.BaseTuple):
        kinds: list[types.Type] = list(kind)  # type: ignore[call-overload]
        return tuple(_taken(context, builder, k, builder.extract_value(argument, i)) for i, k in enumerate(kinds))
    if isinstance(kind, types.Array):
        return Memory(builder, context.make_array(kind)(context, builder, argument).data, kind.dtype)
    if isinstance(kind, types.CPointer):
        return Memory(builder, argument, kind.dtype)
    if isinstance(kind, Lanes):
        return Value(builder, kind, [builder.extract_value(argument, i) for i in range(kind.registers)])
    return Value(builder, kind, [argument])


def _given(context, builder, kind, result):
    """A result as Numba takes it."""
    if result is None:
        return context.get_dummy_value()
    if isinstance(result, tuple | list):
        parts = [_given(context, builder, *each) for each in zip(kind, result, strict=True)]
        return context.make_tuple(builder, kind, parts)
    if isinstance(result, int):
        return context.get_constant(kind, result)
    if not isinstance(kind, Lanes):
        return result.ir
    packed = ir.Constant(ir.ArrayType(kind.vector, kind.registers), ir.Undefined)
    for i, part in enumerate(result.parts):
        packed = builder.insert_value(packed, part, i)
    return packed


def _kind(result):
    """The Numba type of a result."""
    if result is None:
        return types.void
    if isinstance(result, tuple | list):
        return types.BaseTuple.from_types(tuple(map(_kind, result)))
    if isinstance(result, int):
        return types.int64
    return types.CPointer(result.dtype) if isinstance(result, Memory) else result.kind


def _argument(kind):
    """The type as which an argument is taken: every float is a double, every whole number has 64 bits."""
    if isinstance(kind, types.Float):
        return types.float64
    if isinstance(kind, types.Integer | types.Boolean):
        return types.uint64 if types.unliteral(kind) == types.uint64 else types.int64
    return kind


def _typed(function, kinds):
    """(signature, code) for Numba of a function of lanes.

    The type of its result is known once its instructions are written. So they are, for a module that nobody will run.
    """
    kinds, context = tuple(map(_argument, kinds)), cpu_target.target_context

    def write(context, builder, arguments):
        return function(*(_taken(context, builder, *each) for each in zip(kinds, arguments, strict=True)))

    def generate(context, builder, signature, arguments):
        return _given(context, builder, signature.return_type, write(context, builder, arguments))

    unused = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), []), "unused")
    nothing = [ir.Constant(context.get_value_type(kind), ir.Undefined) for kind in kinds]
    result = write(context, ir.IRBuilder(unused.append_basic_block()), nothing)
    return _kind(result)(*kinds), generate


_types: dict = {}  # of functions whose type Numba has asked for


def numba_type(traced):
    """The type of a `simd.Traced`: that of an intrinsic, which Numba calls for the instructions."""
    if traced not in _types:
        parameters = inspect.signature(traced.compute).parameters.values()
        names = [p for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]

        def typed(typingctx, *kinds):
            return _typed(traced.write, (*kinds, *(types.Omitted(p.default) for p in names[len(kinds) :])))

        signature = inspect.Signature([inspect.Parameter("typingctx", inspect.Parameter.POSITIONAL_ONLY), *names])
        setattr(typed, "__signature__", signature)  # noqa: B010 - it is what Numba goes by
        context = cpu_target.typing_context
        made = intrinsic(typed)
        context.refresh()  # it was made this moment
        _types[traced] = context.resolve_value_type(made)
    return _types[traced]


def _add_operator(function):
    """Let kernels use an operator on lanes."""
    lowered = set()

    class Template(AbstractTemplate):
        key = function

        def generic(self, args, kws):
            if not any(isinstance(kind, Lanes) for kind in args):
                return None
            signature, generate = _typed(function, args)
            if signature.args not in lowered:
                lowered.add(signature.args)
                lower_builtin(function, *signature.args)(generate)
            return signature

    infer_global(function)(Template)


for _function in (*ARITHMETIC, *BITS, *COMPARISONS, operator.neg, operator.iadd, operator.isub, operator.imul):
    _add_operator(_function)
cpu_target.typing_context.refresh()
