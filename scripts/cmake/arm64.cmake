# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

# Toolchain file: C and C++ for 64-bit ARM Linux on another machine, for this project and for those that use it:
#
#     scripts/build --arm64
#     scripts/cross/emulated sysroot
#     cmake -S . -B build -DCMAKE_TOOLCHAIN_FILE=scripts/cmake/arm64.cmake
#
# The second command unpacks Debian's libraries for ARM, with which programs are linked: they need a glibc as new as that
# of this Debian. The compiler is Clang, which comes with Swift; qemu runs the programs. The library itself, for older
# versions of glibc, does not depend on this file: any other toolchain for the same system may link with it.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

get_filename_component(CMAKE_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../../.build/arm64/sysroot ABSOLUTE)
if(NOT EXISTS ${CMAKE_SYSROOT}/usr/include/stdio.h)
  message(FATAL_ERROR "No libraries in ${CMAKE_SYSROOT}: run scripts/cross/emulated sysroot")
endif()

# CMake reads this file again for each trial, which has the environment but not the cache. It asks Swift, since the
# program on the PATH may be a script that starts one of several toolchains.
if(NOT EXISTS "$ENV{BACKBONE_CLANG}")
  find_program(swiftc swiftc NO_CMAKE_FIND_ROOT_PATH)
  if(swiftc)
    execute_process(COMMAND ${swiftc} -print-target-info OUTPUT_VARIABLE information)
    string(JSON resources ERROR_VARIABLE none GET "${information}" paths runtimeResourcePath)
    get_filename_component(folder ${resources}/../../bin ABSOLUTE)
    set(ENV{BACKBONE_CLANG} ${folder}/clang)
  endif()
endif()
if(NOT EXISTS "$ENV{BACKBONE_CLANG}")
  message(FATAL_ERROR "No Clang: Swift is not on the PATH, and the variable BACKBONE_CLANG names none")
endif()

set(CMAKE_C_COMPILER $ENV{BACKBONE_CLANG})
set(CMAKE_CXX_COMPILER $ENV{BACKBONE_CLANG}++)
foreach(language C CXX)
  set(CMAKE_${language}_COMPILER_TARGET aarch64-linux-gnu)
endforeach()
foreach(kind EXE SHARED MODULE)
  set(CMAKE_${kind}_LINKER_FLAGS_INIT -fuse-ld=lld)
endforeach()
# Of the headers of GCC 12: std::stable_sort itself calls what they declare as deprecated.
set(CMAKE_CXX_FLAGS_INIT -Wno-deprecated-declarations)

if(NOT CMAKE_CROSSCOMPILING_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L ${CMAKE_SYSROOT})
endif()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
# Both, so that CMAKE_PREFIX_PATH may name a folder outside, such as the one that this library was installed into.
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
