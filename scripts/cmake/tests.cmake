# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

# Tests on the machine that they are built for, and under an emulator of another.

# Definite leaks and invalid accesses are errors; the Swift runtime keeps a few bytes that look "possibly lost".
# It runs one thread at a time: without a fair scheduler one that never sleeps may keep the others waiting for good.
set(valgrind valgrind --quiet --fair-sched=try --leak-check=full --errors-for-leak-kinds=definite
             --show-leak-kinds=definite --error-exitcode=9
             --suppressions=${PROJECT_SOURCE_DIR}/bindings/c/tests/valgrind.supp)

# Like add_test, for what an emulator cannot show or takes minutes for.
function(add_native_test)
  if(NOT CMAKE_CROSSCOMPILING)
    add_test(${ARGV})
  endif()
endfunction()

# A test that runs a program with valgrind.
function(add_valgrind_test name program)
  add_native_test(NAME ${name} COMMAND ${valgrind} $<TARGET_FILE:${program}> ${ARGN})
endfunction()

# Sets a variable to the path of a program, for scripts that run it. With an emulator that is a script too.
function(runnable variable program)
  set(path $<TARGET_FILE:${program}>)
  if(CMAKE_CROSSCOMPILING_EMULATOR)
    list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " emulator)
    set(lines "#!/bin/sh" "exec ${emulator} '${path}' \"$@\"")
    list(JOIN lines "\n" script)
    set(path ${PROJECT_BINARY_DIR}/emulated/${program})
    file(
      GENERATE
      OUTPUT ${path}
      CONTENT "${script}\n"
      FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  endif()
  set(${variable} ${path} PARENT_SCOPE)
endfunction()
