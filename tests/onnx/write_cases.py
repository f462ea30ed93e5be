"""Writes the node tests of Conv and ConvTranspose of the ONNX standard as files beside this script, one for each case.

    pip install onnx==1.23.2 safetensors==0.8.0
    python tests/onnx/write_cases.py            # write
    python tests/onnx/write_cases.py --check    # only compare with what is there

The tests need no Python: they read the files, and these change only when the version below does. The cases are ONNX's
own (Apache-2.0, Copyright ONNX Project Contributors), under the names that they have there; `tests/support/onnx.rs`
reads them. In each file are

- tensors, all f32: `x`, `w`, `b` if the case has a bias, `y` as the standard expects it;
- metadata: one key, `case`, with the JSON text of `{"attributes": {...}, "op": "Conv" or "ConvTranspose"}`. Attributes
  that a case leaves to their defaults are absent here too: to know the defaults is part of what is tested.

It is one key, and not one for each thing, because safetensors writes the keys of its metadata in an order that changes
from run to run.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy
import onnx
import safetensors
from onnx.backend.test.case.node import collect_testcases
from safetensors.numpy import save

# Another version may have other cases, and another safetensors another layout of the same tensors.
VERSIONS = {onnx: "1.23.2", safetensors: "0.8.0"}
# ConvInteger, QLinearConv, DeformConv and CausalConvWithState are operators of their own, which the library lacks.
OPERATORS = ("Conv", "ConvTranspose")
# Inputs go by position; the models name them now `x`, now `X`.
INPUTS = ("x", "w", "b")
FOLDER = Path(__file__).resolve().parent


def check_versions():
    for module, wanted in VERSIONS.items():
        if module.__version__ != wanted:
            name = module.__name__
            sys.exit(f"{name} is {module.__version__}, the files come from {wanted}: pip install {name}=={wanted}")


def attribute_value(attribute):
    """As JSON has it: ONNX keeps texts as bytes."""
    value = onnx.helper.get_attribute_value(attribute)
    return value.decode("ascii") if isinstance(value, bytes) else value


def file_of(case):
    """The bytes of one case's file."""
    (node,) = case.model.graph.node
    ((inputs, outputs),) = case.data_sets
    # The standard writes an input that is left out as an empty name, and the data sets have no array for it.
    names = [name for name, edge in zip(INPUTS, node.input, strict=False) if edge]
    assert len(node.input) <= len(INPUTS), f"{case.name}: inputs {list(node.input)}"
    tensors = dict(zip(names, inputs, strict=True))
    (tensors["y"],) = outputs
    for name, tensor in tensors.items():
        assert tensor.dtype == numpy.float32, f"{case.name}: {name} is {tensor.dtype}"
    attributes = {attribute.name: attribute_value(attribute) for attribute in node.attribute}
    about = json.dumps({"attributes": attributes, "op": node.op_type}, sort_keys=True)
    return save(tensors, metadata={"case": about})


def files():
    """Each file's name with its bytes."""
    with warnings.catch_warnings():
        # Cases of other operators overflow and divide by zero on purpose.
        warnings.simplefilter("ignore", RuntimeWarning)
        cases = collect_testcases(None)
    found = {}
    for case in cases:
        # A model of several nodes is another operator, expanded into what it is made of.
        if [node.op_type for node in case.model.graph.node] not in [[operator] for operator in OPERATORS]:
            continue
        name = f"{case.name}.safetensors"
        # One that comes again, for another opset say, would replace the first in silence.
        assert name not in found, f"{case.name}: there are two cases of this name"
        found[name] = file_of(case)
    return found


def main():
    options = sys.argv[1:]
    if options not in ([], ["--check"]):
        sys.exit(__doc__)
    check_versions()
    wanted = files()
    there = {path.name: path.read_bytes() for path in FOLDER.glob("*.safetensors")}
    differing = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    if options == ["--check"]:
        if differing:
            sys.exit(f"not as ONNX has them: {', '.join(differing)}; run: python tests/onnx/write_cases.py")
        print(f"{len(wanted)} cases, as ONNX has them")
        return
    for name in differing:
        if name in wanted:
            (FOLDER / name).write_bytes(wanted[name])
        else:
            (FOLDER / name).unlink()
    print(f"{len(wanted)} cases, {sum(map(len, wanted.values()))} bytes; {len(differing)} files changed")


main()
