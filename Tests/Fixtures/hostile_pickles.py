# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Pickles that want to run commands, and small ones that are large where values are copied or followed."""

from forge import MARK, PROTO2, PROTO4, STOP, call, dict_of, name_of, number, storage, tensor, text, tuple_of
from hostile_corpus import ANY, BAD, COMMAND, NAME, OK, beside, checkpoint, one


def code(corpus):
    """Pickles that run a command where they are unpickled by Python."""
    command = text(COMMAND)
    calls = {
        "os-system": call("os", "system", command),
        "posix-system": call("posix", "system", command),
        "nt-system": call("nt", "system", command),
        "os-popen": call("os", "popen", command),
        "os-execvp": call("os", "execlp", text("touch"), text("touch"), text("hostile-was-here")),
        "pty-spawn": call("pty", "spawn", command),
        "subprocess": call("subprocess", "Popen", tuple_of(text("touch"), text("hostile-was-here"))),
        "subprocess-output": call("subprocess", "getoutput", command),
        "builtins-eval": call("builtins", "eval", text(f"__import__('os').system('{COMMAND}')")),
        "builtin-exec": call("__builtin__", "exec", text(f"import os; os.system('{COMMAND}')")),
        "builtins-open": call("builtins", "open", text("hostile-was-here"), text("w")),
        "builtins-getattr": call("builtins", "getattr", call("builtins", "__import__", text("os")), text("system"))
        + tuple_of(command)
        + b"R",
        "runpy": call("runpy", "_run_code", text(f"import os; os.system('{COMMAND}')"), b"}"),
        "torch-load": call("torch", "load", text("hostile-was-here")),
        "torch-hub": call("torch.hub", "load", text("a/b"), text("c")),
        "torch-storage-bytes": call("torch.storage", "_load_from_bytes", text("x")),
        "torch-jit": call("torch.jit", "load", text("hostile-was-here")),
        "shutil-rmtree": call("shutil", "rmtree", text("hostile-was-here")),
        "webbrowser": call("webbrowser", "open", text("file:///hostile-was-here")),
        "new-object": name_of("subprocess", "Popen") + tuple_of(command) + b"\x81",
        "new-object-keywords": name_of("subprocess", "Popen") + b")" + dict_of(("args", command)) + b"\x92",
        "build-state": name_of("x", "Y") + b")\x81" + dict_of(("__setstate__", name_of("os", "system"))) + b"b"
        + command + b"b",
        "append-to-object": name_of("x", "Y") + b")R" + command + b"a",
        "set-in-object": name_of("x", "Y") + b")R" + command + call("os", "system", command) + b"s",
        "call-of-result": call("operator", "attrgetter", text("system")) + tuple_of(name_of("os", "x")) + b"R",
        "persistent": tuple_of(text("storage"), name_of("os", "system"), text("0"), command, number(1)) + b"Q",
        "persistent-module": tuple_of(text("module"), name_of("os", "system"), text("x.py"), command) + b"Q",
        "hooks": tensor(hooks=call("os", "system", command)),
        "parameter-state": call(
            "torch._utils", "_rebuild_parameter_with_state", tensor(), b"\x89", b"}", call("os", "system", command)
        ),
        "from-type": call("torch._tensor", "_rebuild_from_type_v2", name_of("os", "system"), name_of("x", "Y"),
                          tuple_of(command), b"}"),
        "ordered-dict-of": call("collections", "OrderedDict", call("os", "system", command)),
        "codecs": call("_codecs", "encode", command, text("rot13")),
    }
    for name, value in calls.items():
        corpus.add(f"run-{name}.pth", beside(value), OK)
    dotted = text("os") + text("system.__call__") + b"\x93" + tuple_of(text(COMMAND)) + b"R"
    corpus.add("run-stack-global.pth", beside(dotted, PROTO4), OK)
    lines = text("os\nsystem") + text("a\nb") + b"\x93" + tuple_of(text(COMMAND)) + b"R"
    corpus.add("run-stack-global-lines.pth", beside(lines, PROTO4), OK)
    pair = dict_of((call("os", "system", command), tensor()), (NAME, tensor()))
    corpus.add("run-as-key.pth", checkpoint(PROTO2 + pair + STOP), OK)
    corpus.add("run-as-tensor.pth", one(call("os", "system", command)), BAD)
    corpus.add("run-as-storage.pth", one(tensor(data=call("os", "system", command))), BAD)
    corpus.add("run-as-storage-type.pth", one(tensor(data=storage(kind=("os", "system")))), BAD, NAME)
    corpus.add("run-as-root.pth", checkpoint(PROTO2 + call("os", "system", command) + STOP), BAD, "os.system")
    state = dict_of((NAME, tensor())) + call("os", "system", command) + b"b"
    corpus.add("run-as-attribute.pth", checkpoint(PROTO2 + state + STOP), OK)
    # Instructions that torch.save never writes.
    corpus.add("run-inst.pth", beside(MARK + command + b"ios\nsystem\n"), OK)
    corpus.add("run-obj.pth", beside(MARK + name_of("os", "system") + command + b"o"), OK)
    corpus.add("run-extension.pth", beside(b"\x82\x01" + tuple_of(command) + b"R"), BAD)
    corpus.add("run-persistent-line.pth", beside(b"Pos.system\n"), OK)
    corpus.add("run-protocol-0.pth", checkpoint(b"cos\nsystem\n(S'" + COMMAND.encode() + b"'\ntR."), BAD)
    corpus.add("run-bare-pickle.pth", PROTO2 + call("os", "system", command) + STOP, ANY)
    magic = PROTO2 + b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" + STOP
    head = magic + PROTO2 + b"M\xe9\x03" + STOP + PROTO2 + dict_of(("little_endian", b"\x88")) + STOP
    evil = PROTO2 + call("os", "system", command) + STOP
    corpus.add("run-legacy-magic.pth", evil + head, ANY)
    corpus.add("run-legacy-object.pth", head + evil + PROTO2 + b"]" + STOP, ANY)
    corpus.add("run-legacy-keys.pth", head + PROTO2 + dict_of() + STOP + evil, ANY)
    corpus.add("run-legacy-system.pth", magic + PROTO2 + b"M\xe9\x03" + STOP + evil, ANY)


def bombs(corpus):
    """Pickles of a few kilobytes that are larger than the world where values are copied or followed."""
    get = [b"h" + bytes([index]) for index in range(256)]
    put = [b"q" + bytes([index]) for index in range(256)]
    leaves = b"K\1" + put[0]
    doubling = {
        "tuples": b"".join(get[i] * 2 + b"\x86" + put[i + 1] for i in range(200)),
        "triples": b"".join(get[i] * 3 + b"\x87" + put[i + 1] for i in range(200)),
        "lists": b"".join(MARK + get[i] * 10 + b"l" + put[i + 1] for i in range(200)),
        "dicts": b"".join(b"}" + MARK + get[i] * 20 + b"u" + put[i + 1] for i in range(200)),
        "frozensets": b"".join(MARK + get[i] * 10 + b"\x91" + put[i + 1] for i in range(200)),
        "calls": b"".join(name_of("a", "b") + MARK + get[i] * 10 + b"tR" + put[i + 1] for i in range(200)),
    }
    for name, value in doubling.items():
        corpus.add(f"bomb-{name}.pth", beside(leaves + value, PROTO4), OK)
    corpus.add("bomb-reduces.pth", beside(name_of("a", "b") + b")R" * 8000), OK)
    corpus.add("bomb-builds.pth", beside(call("a", "b") + b"}b" * 8000), OK)
    corpus.add("bomb-duplicates.pth", beside(b"K\1" + b"2" * 8000 + b"0" * 8000), OK)
    corpus.add("bomb-marks.pth", beside(MARK * 8000 + b"t" * 8000), OK)
    corpus.add("bomb-open-marks.pth", beside(b"K\1" + MARK * 8000), BAD)
    nested = {
        "lists": b"]" * 8000 + b"a" * 7999,
        "tuples": b")" + b"\x85" * 8000,
        "dicts": b"}" + (text("a") + b"}") * 5000 + b"s" * 5000,
    }
    for name, value in nested.items():
        corpus.add(f"deep-{name}.pth", beside(value), OK)
    corpus.add("deep-state-dicts.pth", checkpoint(PROTO2 + b"}" + (text("state_dict") + b"}") * 5000
               + text(NAME) + tensor() + b"s" + b"s" * 5000 + STOP), ANY)
    corpus.add("deep-parameters.pth", one(name_of("torch._utils", "_rebuild_parameter") * 1000
               + tensor() + (b"\x89}\x87R") * 1000), OK)

    # Values that hold themselves.
    itself = b"}q\0" + MARK + text("self") + b"h\0" + text(NAME) + tensor() + b"u"
    corpus.add("cycle-dict.pth", checkpoint(PROTO2 + itself + STOP), OK)
    itself = b"}q\0" + MARK + text("state_dict") + b"h\0" + text(NAME) + tensor() + b"u"
    corpus.add("cycle-state-dict.pth", checkpoint(PROTO2 + itself + STOP), OK)
    itself = b"}q\0" + MARK + text("state_dict") + b"h\0" + text("model") + b"h\0" + text(NAME) + tensor() + b"u"
    corpus.add("cycle-two-wrappers.pth", checkpoint(PROTO2 + itself + STOP), ANY)
    itself = b"}q\0" + text("state_dict") + b"h\0s"
    corpus.add("cycle-nothing-else.pth", checkpoint(PROTO2 + itself + STOP), BAD)
    corpus.add("cycle-list.pth", beside(b"]q\0h\0a"), OK)
    corpus.add("cycle-tuple.pth", beside(b"]q\0h\0\x85a"), OK)
    corpus.add("cycle-key.pth", beside(b"}q\0h\0h\0s"), OK)
    corpus.add("cycle-object.pth", beside(call("a", "b") + b"q\0h\0b"), OK)
    ways(corpus)


def ways(corpus):
    """Roots that are not dicts, and references that form circles."""
    good = dict_of((NAME, tensor()))
    new = name_of("copyreg", "__newobj__")

    def root(name, value, status, text=""):
        corpus.add(f"root-{name}.pth", checkpoint(PROTO2 + value + STOP), status, text)

    root("list", b"](" + good + b"Ne", OK)
    root("list-in-itself", b"]q\0(h\0" + good + b"h\0e", OK)
    root("list-of-itself", b"]q\0h\0a", BAD, "a list")
    root("tuple-in-itself", b"](" + tuple_of(b"]q\0h\0a", good) + b"e", OK)
    root("tuple-of-nothing", b")", BAD, "a tuple")
    root("pairs", b"](" + tuple_of(text(NAME), tensor()) + b"e", OK)
    root("pairs-in-themselves", b"]q\0(" + tuple_of(text(NAME), tensor()) + tuple_of(text("x"), b"h\0") + b"e", OK)
    root("numbers", dict_of((number(0), good), (number(-(2**63)), b"}"), (number(2**70), good)), OK)
    root("keys-alike", dict_of((number(0), good), (text("0"), good)), ANY)
    root("object", call("x", "Y") + MARK + text(NAME) + tensor() + b"u", OK)
    root("object-in-itself", call("x", "Y") + b"q\0(" + text("x") + b"h\0" + text(NAME) + tensor() + b"u", OK)
    root("object-that-is-its-state", call("x", "Y") + b"q\0(" + text(NAME) + tensor() + b"uh\0b", OK)
    root("object-appended-to-itself", call("x", "Y") + b"q\0h\0a" + good + b"a", OK)
    root("object-of-slots", call("x", "Y") + tuple_of(b"N", dict_of(("a", good))) + b"b", OK)
    root("object-of-slots-only", call("x", "Y") + tuple_of(b"N", b"N") + b"b", BAD, "x.Y")
    root("object-of-odd-slots", call("x", "Y") + tuple_of(b"}", b"]", good) + b"b", OK)
    root("object-made-of-a-dict", call("x", "Y", good), OK)
    root("object-of-no-class", new + tuple_of(call("a", "b"), good) + b"R", OK)
    root("object-of-many-classes", new + MARK + new * 8000 + b"tR", BAD)
    root("new-without-a-class", new + b")R", BAD)
    root("new-of-a-number", new + tuple_of(number(1), good) + b"R", ANY)
    for name in ("_reconstructor", "__newobj__"):
        for count in range(4):
            arguments = (name_of("x", "Y"), name_of("builtins", "dict"), good)[:count]
            root(f"{name.strip('_')}-{count}", call("copyreg", name, *arguments), OK if count == 3 else BAD)
    root("deep-objects", name_of("x", "Y") * 2000 + good + b"\x85R" * 2000, OK)
    root("user-dict", call("collections", "UserDict") + dict_of(("data", good)) + b"b", OK)
    root("user-dict-of-itself", call("collections", "UserDict") + b"q\0" + dict_of(("data", b"h\0")) + b"b", BAD)
    root("nine-deep", b"".join([(text("x") + b"}") * 0, b"}" + (text("x") + b"}") * 8, text("x"), good, b"s" * 9]), BAD)
    for kind in ("_rebuild_qtensor", "_rebuild_meta_tensor_no_storage", "_rebuild_wrapper_subclass",
                 "_rebuild_sparse_tensor", "_rebuild_device_tensor_from_numpy", "_rebuild_xla_tensor"):
        corpus.add(f"lonely-{kind.strip('_')}.pth", one(call("torch._utils", kind)), BAD, NAME)
    odd = call("torch._utils", "_rebuild_device_tensor_from_numpy", tensor(), number(5), b"N", b"N")
    corpus.add("device-without-dtype.pth", one(odd), BAD, NAME)
    wrapper = name_of("torch._utils", "_rebuild_wrapper_subclass")
    corpus.add("wrapper-of-no-text.pth", one(wrapper + tuple_of(name_of("\xff\x01" * 1000, "\xfe")) + b"R"), BAD, NAME)
    array = call("numpy._core.numeric", "_frombuffer", b"C\4abcd", call("numpy", "dtype", text("\xff" * 2000)),
                 number(1) + b"\x85", text("C"))
    corpus.add("array-of-no-type.pth", one(array), BAD, NAME)
