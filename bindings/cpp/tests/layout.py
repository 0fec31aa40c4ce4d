# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What C and C++ see of the headers is the same: sizes, alignments, offsets and types of fields, constants, symbols.

One program is compiled as C99 with backbone.h and as C++17 with backbone.hpp; both print what they see, and refer to
every function. Structs, fields, constants and functions are read from the header, so that none can be forgotten.

Usage: layout.py C-COMPILER CXX-COMPILER LIBRARY.so
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python/tests"))

import header  # noqa: E402

c, cpp, library = sys.argv[1:]


def program():
    lines = []
    for name, fields in header.structs().items():
        lines.append(f"struct {name}_after_char {{ char c; {name} s; }};")
        alignment = f"offsetof(struct {name}_after_char, s)"
        lines.append(f'printf("{name} %zu %zu\\n", sizeof({name}), {alignment});')
        lines += [
            f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));'
            for field in fields
        ]
    for name in sorted(header.constants()):
        if name.startswith("BACKBONE_IMAGENET"):
            lines.append(f'{{ const float v[] = {name}; printf("{name} %a %a %a\\n", v[0], v[1], v[2]); }}')
        elif name == "BACKBONE_VERSION_STRING":
            lines.append(f'printf("{name} %s\\n", {name});')
        else:
            lines.append(f'printf("{name} %lld %zu\\n", (long long)({name}), sizeof({name}));')
    # The call through a pointer of C's type fails to compile where C++ sees another one.
    for name, (result, arguments) in header.functions().items():
        parameters = ", ".join(argument.replace("const", "const ").replace("[4]", "*") for argument in arguments)
        lines.append(f"{{ {result} (*f)({parameters or 'void'}) = {name}; used += f != NULL; }}")
    body = "\n    ".join(lines)
    return (
        "#ifdef __cplusplus\n#include <backbone.hpp>\n#else\n#include <backbone.h>\n#endif\n#include <stddef.h>\n"
        f"#include <stdio.h>\n\nint main(void) {{\n    int used = 0;\n    {body}\n"
        '    printf("functions %d\\n", used);\n    return 0;\n}\n'
    )


def seen(compiler, suffix, standard, folder):
    source, object_file, binary = (folder / f"layout.{end}" for end in (suffix, f"{suffix}.o", f"{suffix}.bin"))
    source.write_text(program())
    flags = [standard, "-Wall", "-Wextra", "-Werror", "-Wno-address", f"-I{header.PATH.parent}"]
    subprocess.run([compiler, *flags, "-c", source, "-o", object_file], check=True)
    subprocess.run([compiler, object_file, library, f"-Wl,-rpath,{Path(library).parent}", "-o", binary], check=True)
    undefined = subprocess.run(["nm", "-u", object_file], check=True, capture_output=True, text=True).stdout
    symbols = {word for word in undefined.split() if "backbone" in word}
    return subprocess.run([binary], check=True, capture_output=True, text=True).stdout.splitlines(), symbols


with tempfile.TemporaryDirectory() as name:
    of_c, c_symbols = seen(c, "c", "-std=c99", Path(name))
    of_cpp, cpp_symbols = seen(cpp, "cpp", "-std=c++17", Path(name))

# Each function has its place in C++ too, but for those that another one, or an exception, makes needless there.
wrapped = set(re.findall(r"\bbackbone_\w+(?=\()", header.PATH.with_suffix(".hpp").read_text()))
needless = {"backbone_status_string", "backbone_load_weights"}
assert set(header.functions()) - wrapped == needless, set(header.functions()) - wrapped

assert len(header.structs()) >= 6 and len(of_c) > 100, len(of_c)
differences = [pair for pair in zip(of_c, of_cpp, strict=True) if pair[0] != pair[1]]
assert not differences, differences
assert c_symbols == cpp_symbols == set(header.functions()), c_symbols ^ cpp_symbols
print(f"C and C++ see the same {len(of_c)} facts and {len(c_symbols)} functions.")
