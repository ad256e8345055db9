# SPDX-License-Identifier: Apache-2.0
# tests/cases/*.case: one test each, run by tests/cases/run with the program.
file(GLOB cases CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/*.case")
foreach(case IN LISTS cases)
    get_filename_component(name "${case}" NAME_WE)
    add_test(NAME case.${name}
             COMMAND /usr/bin/python3 "${CMAKE_CURRENT_LIST_DIR}/run" $<TARGET_FILE:nightbook> "${case}")
    set_tests_properties(case.${name} PROPERTIES TIMEOUT 60 LABELS case)
endforeach()
add_test(NAME case.pipes
         COMMAND /usr/bin/python3 "${CMAKE_CURRENT_LIST_DIR}/pipes.py" $<TARGET_FILE:nightbook>)
set_tests_properties(case.pipes PROPERTIES TIMEOUT 120 LABELS case)
