"""The pages' functions in Node, called from Python: `docs/_static/learn/tinynet.js` and the kernels in WebAssembly."""

import base64
import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

HERE = Path(__file__).resolve().parents[1]
LEARN, PROGRAM = HERE / "docs" / "_static" / "learn", HERE / "tests" / "docs" / "in_node.js"


def skip_without_wasm():
    """Skip the tests of a file if the kernels cannot be compiled for Node, or Node is not here."""
    if not (HERE / "native").is_dir():
        pytest.skip("the folder native/ is not here", allow_module_level=True)
    if shutil.which("node") is None:
        pytest.skip("Node is not installed", allow_module_level=True)
    for name in ("numba", "ziglang"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed: it compiles the kernels", allow_module_level=True)


def compiled(path, *options):
    """Write the script with the kernels, and return its path."""
    subprocess.run([sys.executable, str(HERE / "native" / "wasm.py"), str(path), *options], check=True)
    return path


class Node:
    """A process of Node that has loaded the pages' scripts. `calls` counts what it was asked."""

    def __init__(self, kernels):
        scripts = [kernels, *(LEARN / name for name in ("neuron.js", "network.js", "tinynet.js"))]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
        self.process, self.calls = subprocess.Popen(["node", PROGRAM, *scripts], **pipes), 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.communicate()

    def __getattr__(self, name):
        """A function of TinyNet's. It takes what JSON can hold, and arrays: as lists within an object, else typed."""
        return lambda *given: self.ask(name, [_sent(each) for each in given])[0]

    def ask(self, name, given):
        """What the function returns, and the typed arrays, as it left them. ValueError if it throws."""
        self.calls += 1
        self.process.stdin.write(json.dumps([name, given]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return _received(answer.get("result")), list(map(_received, answer["written"]))

    def kernels(self, signatures):
        """A module of kernels, each of which runs in Node."""
        module = ModuleType("kernels_in_node")
        for name, words in signatures.items():
            setattr(module, name, self.kernel(name, words))
        return module

    def kernel(self, name, signature):
        """A kernel that runs in Node. Of tuples only the length counts, which its name has."""
        words = signature.split()

        def run(*given):
            sent = [_typed(a) if isinstance(a, np.ndarray) else float(a) for a in given if not isinstance(a, tuple)]
            result, written = self.ask("call", [name, *sent])
            for word, array in zip(words, given, strict=True):
                if isinstance(array, np.ndarray):
                    found = written.pop(0)
                    if "w" in word:
                        array[...] = found
            return result

        return run


def _typed(array):
    code = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "bytes": code}


def _sent(value):
    if isinstance(value, dict):
        return {name: _sent(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return list(map(_sent, value))
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _received(value):
    if isinstance(value, dict):
        if "dtype" in value:
            return np.frombuffer(base64.b64decode(value["bytes"]), value["dtype"]).reshape(value["shape"])
        return {name: _received(part) for name, part in value.items()}
    return value
