# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Safetensors files."""

import struct

from forge import safetensors
from hostile_corpus import ANY, BAD, MISMATCH, NAME, OK, VALUE, WIDE, WIDER


def headers(corpus):
    def add(name, data, status=BAD, fragment=""):
        corpus.add(f"st-{name}.safetensors", data, status, fragment)

    def entry(shape=(1,), offsets=(0, 4), dtype="F32"):
        return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}

    good = '{"bn1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    add("good", safetensors(good, VALUE), OK)
    for label, value in (WIDE | WIDER).items():
        add(f"length-{label}", safetensors(good, VALUE, length=value))
        add(f"offset-{label}", safetensors({NAME: entry(offsets=(0, value))}, VALUE), BAD, NAME)
        add(f"start-{label}", safetensors({NAME: entry(offsets=(value, value))}, VALUE), BAD, NAME)
        add(f"size-{label}", safetensors({NAME: entry(shape=(value,))}, VALUE), BAD, NAME)
    for name, length in {"0": 0, "1": 1, "less": len(good) - 1, "more": len(good) + 1, "all": len(good) + 4}.items():
        add(f"length-{name}", safetensors(good, VALUE, length=length))
    add("length-alone", struct.pack("<Q", 2))
    add("wraps-to-4", safetensors({NAME: entry(shape=(2**62 + 1,))}, VALUE), BAD, NAME)
    add("wraps-to-1", safetensors({NAME: entry(shape=(2**32 + 1, 2**32 - 1))}, VALUE), BAD, NAME)
    add("wraps-to-0", safetensors({NAME: entry(shape=(2**32, 2**32), offsets=(0, 0))}), BAD, NAME)
    add("empty-but-absurd", safetensors({NAME: entry(shape=(2**62, 8, 0), offsets=(0, 0))}), BAD, NAME)
    add("dimensions-65", safetensors({NAME: entry(shape=(1,) * 65)}, VALUE), BAD, NAME)
    add("offsets-back", safetensors({NAME: entry(offsets=(4, 0))}, VALUE), BAD, NAME)
    add("overlap", safetensors({NAME: entry(), "x": entry()}, VALUE), BAD, "overlap")
    add("hole", safetensors({NAME: entry(offsets=(4, 8))}, VALUE * 2), BAD, "hole")
    add("hidden-end", safetensors({NAME: entry()}, VALUE + b"hidden"), BAD)
    add("unknown-type", safetensors({NAME: entry(dtype="F4")}, VALUE), BAD)
    add("other-type", safetensors({NAME: entry(dtype="I32")}, VALUE), BAD, NAME)
    add("other-shape", safetensors({NAME: entry(shape=(1, 1))}, VALUE), MISMATCH, NAME)
    add("empty", safetensors({}), ANY)
    add("empties", safetensors({NAME: entry()} | {f"x{i}": entry((0,), (4, 4)) for i in range(500)}, VALUE), OK)

    def as_number(value):
        return good.replace("[0,4]", f"[0,{value}]")

    numbers = ["NaN", "Infinity", "-Infinity", "1e999", "1E400", "4e0", "4.0", "-4", "-0", "+4", "04", "0x4", "4_0",
               "true", "null", '"4"', "[4]", "{}", "", " ", "٤", "4" * 400, "0." + "0" * 400 + "4"]
    for index, value in enumerate(numbers):
        add(f"number-{index}", safetensors(as_number(value), VALUE))
    shapes = ["[1", "1]", "[1,]", "[,1]", "[1 1]", "1", '"1"', "{}", "null", "[[1]]", "[]" * 2]
    for index, value in enumerate(shapes):
        add(f"shape-{index}", safetensors(good.replace("[1]", value), VALUE))
    texts = {
        "depth-arrays": "[" * 8000,
        "depth-objects": '{"a":' * 8000,
        "depth-value": good[:-1] + ',"x":' + "[" * 8000 + "]" * 8000 + "}",
        "depth-metadata": '{"__metadata__":' * 5000,
        "depth-shape": good.replace("[1]", "[" * 8000 + "]" * 8000),
        "twice": good[:-1] + "," + good[1:],
        "twice-escaped": good[:-1] + ',"\\u0062n1.weight":' + '{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}',
        "twice-dtype": good.replace('"dtype"', '"dtype":"F32","dtype"'),
        "twice-offsets": good.replace('"data_offsets"', '"data_offsets":[0,4],"data_offsets"'),
        "metadata-is-tensor": good.replace(NAME, "__metadata__"),
        "metadata-twice": '{"__metadata__":{},' + good[:-1] + ',"__metadata__":{}}',
        "metadata-nested": '{"__metadata__":{"a":{"b":"c"}},' + good[1:],
        "array": "[" + good + "]",
        "text": '{"a"}',
        "comment": good[:-1] + "/* */}",
        "single-quotes": good.replace('"', "'"),
        "comma-at-end": good[:-1] + ",}",
        "second-object": good + good,
        "open-string": '{"' + "a" * 1000,
        "open-escape": '{"a\\',
        "half-escape": '{"\\u12',
        "lone-surrogate": good.replace("bn1", "\\ud800"),
        "swapped-surrogates": good.replace("bn1", "\\udc00\\ud800"),
        "escaped-nul": good.replace("bn1", "bn1\\u0000"),
        "raw-control": good.replace("bn1", "bn1\n"),
        "only-brace": "{",
        "braces": "{}" * 1000,
        "spaces": "{" + " " * 20000,
    }
    for name, header in texts.items():
        add(name, safetensors(header, VALUE))
    raw = {"nul": b"bn1\0", "invalid": b"bn1\xff", "overlong": b"bn1\xc0\xae", "cut": b"bn1\xe2\x82",
           "surrogate": b"\xed\xa0\x80", "beyond": b"\xf4\x90\x80\x80"}
    for name, key in raw.items():
        add(f"name-{name}", safetensors(good.encode().replace(b"bn1", key), VALUE))
    add("name-long", safetensors(good.replace("bn1", "b" * 5000), VALUE), BAD)
    add("name-terminal", safetensors(good.replace("bn1", "\\u001b[2J\\u0007"), VALUE), MISMATCH)
    add("name-empty", safetensors(good[:-1] + ',"":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}', VALUE), OK)
    add("mark-first", safetensors(b"\xef\xbb\xbf" + good.encode(), VALUE))
    add("utf16", safetensors(good.encode("utf-16-le"), VALUE))
    data = safetensors(good, VALUE)
    for part in range(1, 10):
        add(f"cut-{part}", data[: len(data) * part // 10])
