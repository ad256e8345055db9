# SPDX-License-Identifier: Apache-2.0
# An installed copy as its users see it. Not under a sanitizer: a program that links the library is built without one.
if(NOT NB_SANITIZE)
    add_test(NAME install.example
             COMMAND "${CMAKE_CURRENT_LIST_DIR}/example.sh" "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}")
    set_tests_properties(install.example PROPERTIES TIMEOUT 120 LABELS integration)
endif()
