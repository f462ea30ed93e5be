"""Writes the ONNX standard's node tests of the operators that this crate reads into one file beside this script.

    pip install onnx==1.23.2 safetensors==0.8.0
    python onnx/tests/write_node_cases.py            # write
    python onnx/tests/write_node_cases.py --check    # only compare with what is there

The tests need no Python: they read the file, and it changes only with the version below or with the table of operators. The
cases are ONNX's own (Apache-2.0, Copyright ONNX Project Contributors), under the names that they have there. For each case the
file has the tensors

- `NAME/model`: the bytes of the model;
- `NAME/input/X`, `NAME/output/Y`: inputs and outputs by name, as f32.

What differs from the standard's files:

- A graph computes in f32 of inputs in f32, so integers are constants of the model (initializers), as are floats that this crate
  must know (weights, scales, the constant of a padding, what is cast to integers).
- Models of opsets below 7 and above 23 are marked as of these where the operators are the same but for types of elements.
- Cases whose tensors take more than MOST_BYTES (MOST_BYTES_EXPANDED) are left out, as are those with texts, sequences and small floats. The script
  prints how many of each.
"""

import re
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy
import onnx
import safetensors
from onnx.backend.test.case.node import collect_testcases
from safetensors.numpy import save

VERSIONS = {onnx: "1.23.2", safetensors: "0.8.0"}
FOLDER = Path(__file__).resolve().parent
FILE = FOLDER / "node_cases.safetensors"
TABLE = FOLDER.parent / "src" / "import" / "table.rs"
MOST_BYTES = 32 * 1024
# Of operators written as a graph of simpler ones, which are tests of those.
MOST_BYTES_EXPANDED = 8 * 1024
# The versions that are read.
OPSETS = (7, 23)
# Operands, by position, that must be known when the graph is made.
KNOWN = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Dropout": (1, 2),
    "Pad": (2,),
    "Range": (0, 1, 2),
    "Resize": (1, 2),
    "Upsample": (1,),
}
INTEGERS = "iu"
FLOATS = "f"


def operators():
    """Those of the crate's table."""
    return set(re.findall(r'^    \("(\w+)", ', TABLE.read_text(encoding="utf-8"), re.MULTILINE))


def kind(array):
    """The kind of an array's elements: f, i, u, b, or ? for what is not read."""
    if not isinstance(array, numpy.ndarray | numpy.generic):
        return "?"
    if array.dtype.kind in "fiub":
        return array.dtype.kind
    return "f" if array.dtype.name == "bfloat16" else "?"


def is_same_operator(node, version):
    """Whether an operator means the same in the nearest version that is read: for old ones, it was not changed; for later ones, it
    has no argument that is new."""
    nearest = min(max(version, OPSETS[0]), OPSETS[1])
    if not onnx.defs.has(node.op_type, nearest, ""):
        return False
    schema = onnx.defs.get_schema(node.op_type, nearest, "")
    if version < nearest:
        return schema.since_version <= version
    return all(attribute.name in schema.attributes for attribute in node.attribute)


def subgraphs(model):
    return any(attribute.HasField("g") for node in model.graph.node for attribute in node.attribute)


def refusal(case, known):
    """Why a case is left out, or None. The operators that are not read are no reason to tell."""
    model = case.model
    names = {node.op_type for node in model.graph.node}
    if not names <= known or any(node.domain for node in model.graph.node):
        return "operators"
    if subgraphs(model) or len(model.functions) > 0 or len(case.data_sets) != 1:
        return "operators"
    version = next(opset.version for opset in model.opset_import if opset.domain == "")
    if not all(is_same_operator(node, version) for node in model.graph.node):
        return "opset"
    inputs, outputs = case.data_sets[0]
    if any(kind(array) == "?" for array in [*inputs, *outputs]):
        return "types"
    most = MOST_BYTES_EXPANDED if "_expanded" in case.name else MOST_BYTES
    if sum(4 * array.size for array in [*inputs, *outputs]) + case.model.ByteSize() > most:
        return "size"
    return None


def must_be_known(model, position_of):
    """Names of inputs that a node must know."""
    names = set()
    for node in model.graph.node:
        positions = KNOWN.get(node.op_type, ())
        names |= {node.input[i] for i in positions if i < len(node.input)}
        if node.op_type == "Cast":
            to = next(attribute.i for attribute in node.attribute if attribute.name == "to")
            if to not in (1, 9, 10, 11, 16):
                names |= set(node.input)
    return names & set(position_of)


def tensors_of(case):
    """Model, inputs and outputs of a case, by their keys in the file."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    inputs, outputs = case.data_sets[0]
    names = [value.name for value in model.graph.input]
    arrays = dict(zip(names, inputs, strict=True))
    known = must_be_known(model, arrays) | {name for name, array in arrays.items() if kind(array) in INTEGERS}
    tensors = {}
    for name, array in arrays.items():
        if name in known:
            model.graph.initializer.append(onnx.numpy_helper.from_array(numpy.asarray(array), name))
        else:
            tensors[f"{case.name}/input/{name}"] = numpy.ascontiguousarray(array, dtype=numpy.float32)
    kept = [value for value in model.graph.input if value.name not in known]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    # Names of producers and texts of help are not read.
    model.ClearField("producer_name")
    for opset in model.opset_import:
        if opset.domain == "":
            opset.version = min(max(opset.version, OPSETS[0]), OPSETS[1])
    for value, array in zip(model.graph.output, outputs, strict=True):
        tensors[f"{case.name}/output/{value.name}"] = numpy.ascontiguousarray(array, dtype=numpy.float32)
    tensors[f"{case.name}/model"] = numpy.frombuffer(model.SerializeToString(deterministic=True), dtype=numpy.uint8)
    # An array of no axes becomes one of one axis above.
    scalars = {value.name for value, array in zip(model.graph.output, outputs, strict=True) if array.ndim == 0}
    scalars |= {name for name, array in arrays.items() if array.ndim == 0}
    return {key: array.reshape(()) if key.rsplit("/", 1)[-1] in scalars else array for key, array in tensors.items()}


def main():
    for module, wanted in VERSIONS.items():
        if module.__version__ != wanted:
            sys.exit(f"{module.__name__} is {module.__version__}, the file comes from {wanted}")
    warnings.simplefilter("ignore")
    known = operators()
    tensors, left_out, count = {}, Counter(), 0
    for case in sorted(collect_testcases(None), key=lambda case: case.name):
        why = refusal(case, known)
        if why is None:
            tensors |= tensors_of(case)
            count += 1
        else:
            left_out[why] += 1
            if why != "operators":
                print(f"left out for its {why}: {case.name}")
    data = save(tensors)
    if "--check" in sys.argv[1:]:
        if FILE.read_bytes() != data:
            sys.exit(f"{FILE} differs: python onnx/tests/write_node_cases.py")
        return
    FILE.write_bytes(data)
    print(f"{count} cases, {len(data)} bytes; left out: {dict(left_out)}")


if __name__ == "__main__":
    main()
