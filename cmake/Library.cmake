# SPDX-License-Identifier: Apache-2.0
# libnightbook, shared and static: the rooms behind the public headers, with everything else hidden.

set(NB_LIBRARY_ROOMS base kis ws night book session io client)
set(objects)
foreach(room IN LISTS NB_LIBRARY_ROOMS)
    list(APPEND objects $<TARGET_OBJECTS:nb_${room}>)
endforeach()

foreach(kind SHARED STATIC)
    string(TOLOWER ${kind} suffix)
    add_library(nightbook_${suffix} ${kind} ${objects})
    set_target_properties(nightbook_${suffix} PROPERTIES
        OUTPUT_NAME nightbook EXPORT_NAME ${suffix} LINKER_LANGUAGE C
        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
    target_include_directories(nightbook_${suffix} INTERFACE
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(nightbook_${suffix} PRIVATE jansson crypto archive)
endforeach()
target_link_options(nightbook_shared PRIVATE -Wl,--as-needed)
if(NB_SANITIZE) # clang's sanitizers leave their own symbols to the program
    target_link_options(nightbook_shared PRIVATE -fsanitize=${NB_SANITIZE})
else()
    target_link_options(nightbook_shared PRIVATE -Wl,--no-undefined)
endif()

include(CMakePackageConfigHelpers)
# relative, so that an installed copy may be moved, and `cmake --install --prefix` is right
file(RELATIVE_PATH NB_PREFIX_FROM_PC "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file(cmake/nightbook.pc.in nightbook.pc @ONLY)
write_basic_package_version_file(nightbookConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(TARGETS nightbook_shared nightbook_static EXPORT nightbook)
install(TARGETS nightbook)
install(DIRECTORY include/nightbook DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT nightbook NAMESPACE nightbook:: FILE nightbookConfig.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/nightbook)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/nightbookConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/nightbook)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/nightbook.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES docs/nightbook.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES LICENSE NOTICE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
