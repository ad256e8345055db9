# SPDX-License-Identifier: Apache-2.0
# Test programs that are no cmocka test, and the scripts that drive them.

# A WebSocket echo server, for conformance suites.
add_executable(ws_echo ws/echo.c)
target_link_libraries(ws_echo PRIVATE nb_io)

find_program(NB_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
add_test(NAME ws.conformance
         COMMAND ${NB_PYTHON} "${CMAKE_CURRENT_SOURCE_DIR}/ws/conformance.py" $<TARGET_FILE:ws_echo>)
set_tests_properties(ws.conformance PROPERTIES TIMEOUT 300 LABELS conformance)
