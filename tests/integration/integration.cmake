# SPDX-License-Identifier: Apache-2.0
# tests/integration/*_itest.py: real processes, real clients. Each gets the program's path in NB_PROGRAM.
file(GLOB integration_tests CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/*_itest.py")
foreach(script IN LISTS integration_tests)
    get_filename_component(name "${script}" NAME_WE)
    string(REGEX REPLACE "_itest$" "" name "${name}")
    add_test(NAME integration.${name} COMMAND /usr/bin/python3 "${script}")
    set_tests_properties(integration.${name} PROPERTIES LABELS integration
        ENVIRONMENT "NB_PROGRAM=$<TARGET_FILE:nightbook>;NB_SANITIZE=${NB_SANITIZE}")
endforeach()
