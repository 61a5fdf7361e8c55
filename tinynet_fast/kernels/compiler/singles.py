"""Numba's part of `singles` in `strict_single.py`: arrays of float32 whose numbers are read as float64.

Plain Python reads an `array("f")` so: each number is a float as soon as it is read, and is rounded when it is written.
Numba alone would multiply two float32 in float32.
"""

import operator
from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, models, register_model


class Singles(types.Type):
    """Float32 numbers in a row: where they begin, and how many there are."""

    def __init__(self) -> None:
        super().__init__(name="Singles")


SINGLES, PLACE = Singles(), types.intp


@register_model(Singles)
class _Model(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, [("data", types.CPointer(types.float32)), ("count", PLACE)])


def _struct(context: Any, builder: Any, value: Any = None) -> Any:
    return cgutils.create_struct_proxy(SINGLES)(context, builder, value=value)


@intrinsic
def singles(typingctx: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        given, made = context.make_array(array)(context, builder, arguments[0]), _struct(context, builder)
        made.data, made.count = given.data, given.nitems
        return made._getvalue()

    return SINGLES(array), generate


@infer_global(operator.getitem)
class _Get(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        if args[0] != SINGLES:
            return None
        if isinstance(args[1], types.SliceType):
            return SINGLES(SINGLES, types.slice2_type)
        return types.float64(SINGLES, PLACE)


@infer_global(operator.setitem)
class _Set(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return types.void(SINGLES, PLACE, types.float64) if args[0] == SINGLES else None


@infer_global(len)
class _Count(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return PLACE(SINGLES) if args[0] == SINGLES else None


@lower_builtin(operator.getitem, Singles, types.Integer)
def _get(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    place = builder.gep(_struct(context, builder, arguments[0]).data, [arguments[1]])
    return context.cast(builder, builder.load(place), types.float32, types.float64)


@lower_builtin(operator.getitem, Singles, types.SliceType)
def _part(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    given, made = _struct(context, builder, arguments[0]), _struct(context, builder)
    part = context.make_helper(builder, signature.args[1], arguments[1])
    made.data, made.count = builder.gep(given.data, [part.start]), builder.sub(part.stop, part.start)
    return made._getvalue()


@lower_builtin(operator.setitem, Singles, types.Integer, types.Float)
def _set(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    place = builder.gep(_struct(context, builder, arguments[0]).data, [arguments[1]])
    builder.store(context.cast(builder, arguments[2], types.float64, types.float32), place)
    return context.get_dummy_value()


@lower_builtin(len, Singles)
def _count(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return _struct(context, builder, arguments[0]).count
