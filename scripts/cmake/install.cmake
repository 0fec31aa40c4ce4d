# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

# Installs the library under its version, with the links of the soname and of the linker, the headers, and what
# find_package and pkg-config read. Nothing of it names the prefix: an installation may be moved.

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(generated ${PROJECT_BINARY_DIR}/install)
set(cmake_folder ${CMAKE_INSTALL_LIBDIR}/cmake/backbone)

install(FILES ${PROJECT_SOURCE_DIR}/include/backbone.h ${PROJECT_SOURCE_DIR}/include/backbone.hpp
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# With symbols, for debuggers and profilers; `cmake --install ... --strip` leaves them out. CMake itself strips only what
# it has linked itself. The library for another machine has none, and that machine's tools may be missing.
install(PROGRAMS ${built} DESTINATION ${CMAKE_INSTALL_LIBDIR} RENAME libbackbone.so.${PROJECT_VERSION})
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  set(installed ${CMAKE_INSTALL_LIBDIR}/libbackbone.so.${PROJECT_VERSION})
else()
  set(installed \${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/libbackbone.so.${PROJECT_VERSION})
endif()
if(NOT CMAKE_CROSSCOMPILING)
  install(CODE "if(CMAKE_INSTALL_DO_STRIP)
      execute_process(
        COMMAND \"${CMAKE_STRIP}\" --strip-unneeded \"\$ENV{DESTDIR}${installed}\" COMMAND_ERROR_IS_FATAL ANY)
    endif()")
endif()
file(MAKE_DIRECTORY ${generated})
foreach(link libbackbone.so.${abi} libbackbone.so)
  file(CREATE_LINK libbackbone.so.${PROJECT_VERSION} ${generated}/${link} SYMBOLIC)
  install(FILES ${generated}/${link} DESTINATION ${CMAKE_INSTALL_LIBDIR})
endforeach()

# Before 1.0.0 a minor version may break what a major one may break later.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
else()
  set(compatibility SameMajorVersion)
endif()
write_basic_package_version_file(${generated}/backboneConfigVersion.cmake COMPATIBILITY ${compatibility})
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/scripts/cmake/backboneConfig.cmake.in ${generated}/backboneConfig.cmake
  INSTALL_DESTINATION ${cmake_folder}
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR
  NO_CHECK_REQUIRED_COMPONENTS_MACRO)
install(FILES ${generated}/backboneConfig.cmake ${generated}/backboneConfigVersion.cmake DESTINATION ${cmake_folder})

set(pc_folder ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${pc_folder} OUTPUT_VARIABLE pc_to_prefix)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR BASE_DIRECTORY ${pc_folder} OUTPUT_VARIABLE pc_to_include)
configure_file(${PROJECT_SOURCE_DIR}/scripts/cmake/backbone.pc.in ${generated}/backbone.pc @ONLY)
install(FILES ${generated}/backbone.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
