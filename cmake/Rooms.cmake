# SPDX-License-Identifier: Apache-2.0
# A room is a folder of src/, a static library nb_ROOM, and a line of layers.txt, from which its links come.

add_library(nb_flags INTERFACE)
target_compile_options(nb_flags INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
    -Wwrite-strings -Wundef -Wformat=2 -Wvla -Werror -fno-common
    $<$<NOT:$<CONFIG:Debug>>:-ftree-vectorize>)
target_compile_definitions(nb_flags INTERFACE _GNU_SOURCE NB_VERSION="${PROJECT_VERSION}")
if(NB_SANITIZE)
    target_compile_options(nb_flags INTERFACE -fsanitize=${NB_SANITIZE} -fno-sanitize-recover=all
                           -fno-omit-frame-pointer)
    target_link_options(nb_flags INTERFACE -fsanitize=${NB_SANITIZE})
else()
    target_compile_definitions(nb_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
endif()

file(STRINGS "${PROJECT_SOURCE_DIR}/layers.txt" NB_LAYER_LINES REGEX "^[a-z]+:")

# nb_room(NAME [LIBS library...]): all of src/NAME/*.c; may include what layers.txt grants it.
function(nb_room name)
    cmake_parse_arguments(ARG "" "" "LIBS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${name}/*.c")
    if(NOT sources)
        message(FATAL_ERROR "room ${name} has no source")
    endif()
    add_library(nb_${name} STATIC ${sources})
    target_include_directories(nb_${name} PUBLIC
        "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/include")
    foreach(line IN LISTS NB_LAYER_LINES)
        if(line MATCHES "^${name}: *(.*)$")
            string(REGEX MATCHALL "[a-z]+" rooms "${CMAKE_MATCH_1}")
            list(TRANSFORM rooms PREPEND nb_)
        endif()
    endforeach()
    target_link_libraries(nb_${name} PUBLIC nb_flags ${rooms} PRIVATE ${ARG_LIBS})
endfunction()
