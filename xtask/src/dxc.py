"""Compiles HLSL with Microsoft's DXC, of which it takes the library. Each line of standard input is a job, {"text",
"arguments"} in JSON, and is answered by a line of standard output, {"accepted", "words"}. DXC's interface is COM's on every
system: an object is a pointer to a table of functions, an interface's own after IUnknown's three.
"""

import ctypes
import json
import sys
import uuid

DXC_COMPILER = "73e22d93-e6ce-47f3-b5bf-f0664f39c1b0"
I_DXC_COMPILER_3 = "228b4687-5a6a-4730-900c-9702b2203f54"
I_DXC_OPERATION_RESULT = "cedb484a-d4e9-445a-b991-ca21ca157dc2"
UTF_8 = 65001
RELEASE = 2
EMPTY_SHADER = {"text": "[numthreads(1, 1, 1)] void main() {}", "arguments": ["-E", "main", "-T", "cs_6_0"]}


class Buffer(ctypes.Structure):
    _fields_ = [("pointer", ctypes.c_char_p), ("size", ctypes.c_size_t), ("encoding", ctypes.c_uint32)]


def guid(text):
    return (ctypes.c_ubyte * 16)(*uuid.UUID(text).bytes_le)


def call(this, slot, *arguments, returns=ctypes.c_int32):
    """Calls a function of an object's table."""
    table = ctypes.cast(this, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p))).contents
    types = [type(argument) for argument in arguments]
    return ctypes.CFUNCTYPE(returns, ctypes.c_void_p, *types)(table[slot])(this, *arguments)


def compiler(library):
    this = ctypes.c_void_p()
    status = library.DxcCreateInstance(guid(DXC_COMPILER), guid(I_DXC_COMPILER_3), ctypes.byref(this))
    if status != 0:
        sys.exit(f"the library gives no compiler ({status & 0xFFFFFFFF:#x})")
    return this


def compile_one(this, own, job):
    """Whether a text is accepted, and what is said of it; none if there is no result. `own` is the first slot that is an
    interface's own."""
    text = job["text"].encode()
    source = Buffer(text, len(text), UTF_8)
    arguments = (ctypes.c_wchar_p * len(job["arguments"]))(*job["arguments"])
    size = ctypes.c_uint32(len(arguments))
    result = ctypes.c_void_p()
    no_includes = ctypes.c_void_p()
    interface = guid(I_DXC_OPERATION_RESULT)
    call(this, own, ctypes.pointer(source), arguments, size, no_includes, interface, ctypes.pointer(result))
    if not result:
        return None
    status = ctypes.c_int32()
    call(result, own, ctypes.pointer(status))
    errors = ctypes.c_void_p()
    call(result, own + 2, ctypes.pointer(errors))
    words = ""
    if errors:
        start = call(errors, own, returns=ctypes.c_void_p)
        words = ctypes.string_at(start, call(errors, own + 1, returns=ctypes.c_size_t)).decode(errors="replace")
        call(errors, RELEASE)
    call(result, RELEASE)
    return {"accepted": status.value == 0, "words": words.rstrip("\0\r\n ")}


def first_own_slot(library):
    """3, or in builds for Unix of before 1.7.2212 two more: interfaces had a destructor then. Called as `Compile`, that makes
    no result of anything."""
    for own in (3, 5):
        if compile_one(compiler(library), own, EMPTY_SHADER):
            return own
    sys.exit("the library does not compile an empty shader")


def main():
    library = ctypes.CDLL(sys.argv[1])
    own = first_own_slot(library)
    this = compiler(library)
    for line in sys.stdin:
        print(json.dumps(compile_one(this, own, json.loads(line))), flush=True)


main()
