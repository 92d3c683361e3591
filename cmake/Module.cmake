# Everything that is generated before sources compile; a module that generates headers adds its
# target with add_dependencies, so that tools can read the sources without building them.
add_custom_target(narrows_generated)

# narrows_module(NAME SOURCES ... [USES modules...] [LIBS libraries...] [LIBS_PRIVATE libraries...])
# One static library per folder, `narrows_NAME`. USES are other modules, LIBS appear in public
# headers, LIBS_PRIVATE only in sources.
function(narrows_module NAME)
  cmake_parse_arguments(M "" "" "SOURCES;USES;LIBS;LIBS_PRIVATE" ${ARGN})
  add_library(narrows_${NAME} STATIC ${M_SOURCES})
  target_link_libraries(narrows_${NAME} PUBLIC narrows_options ${M_LIBS} PRIVATE ${M_LIBS_PRIVATE})
  narrows_precompile(narrows_${NAME} module)
  foreach(USE IN LISTS M_USES)
    target_link_libraries(narrows_${NAME} PUBLIC narrows_${USE})
  endforeach()
endfunction()

# narrows_optimize(SOURCES...): -O3 for sources of this folder whose loops gain from it. They do without
# the precompiled header, which would bring its own level along. With sanitizers it is -O2, over the
# -O1 of the other sources, which shortens tests by more than it takes to compile; at -O3 loops full of
# checks take several times as long.
function(narrows_optimize)
  set(LEVEL -O3)
  if(NARROWS_SANITIZE)
    set(LEVEL -O2)
  endif()
  set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS ${LEVEL})
  set_property(SOURCE ${ARGN} PROPERTY SKIP_PRECOMPILE_HEADERS ON)
endfunction()

# narrows_test(NAME SOURCES ... [USES modules...] [LIBS libraries...] [TIMEOUT seconds] [LONG])
# One GoogleTest binary per module, run by ctest as one test so that set-up is paid once. It sees
# tests/support, knows the source tree as NARROWS_SOURCE_DIR and leaves the result of each case in
# test-results/NAME.xml of the build folder. LONG keeps it out of the sanitizer run of a plain
# `scripts/test`.
function(narrows_test NAME)
  if(NOT NARROWS_TESTS)
    return()
  endif()
  cmake_parse_arguments(T "LONG" "TIMEOUT" "SOURCES;USES;LIBS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 600)
  endif()
  if(CMAKE_CROSSCOMPILING)
    math(EXPR T_TIMEOUT "10 * ${T_TIMEOUT}")  # an emulator runs it
  endif()
  add_executable(narrows_${NAME}_test ${T_SOURCES})
  narrows_precompile(narrows_${NAME}_test test)
  target_link_libraries(narrows_${NAME}_test PRIVATE narrows_options narrows_test_support
    GTest::gtest_main ${T_LIBS})
  foreach(USE IN LISTS T_USES)
    target_link_libraries(narrows_${NAME}_test PRIVATE narrows_${USE})
  endforeach()
  target_compile_definitions(narrows_${NAME}_test PRIVATE
    NARROWS_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${NAME} COMMAND narrows_${NAME}_test --gtest_brief=1)
  set_tests_properties(${NAME} PROPERTIES TIMEOUT ${T_TIMEOUT})
  set(ENVIRONMENT "GTEST_OUTPUT=xml:${PROJECT_BINARY_DIR}/test-results/${NAME}.xml")
  if(NARROWS_SANITIZE)
    list(APPEND ENVIRONMENT ${NARROWS_SANITIZER_ENVIRONMENT})
  endif()
  set_tests_properties(${NAME} PROPERTIES ENVIRONMENT "${ENVIRONMENT}")
  if(T_LONG)
    set_tests_properties(${NAME} PROPERTIES LABELS long)
  endif()
endfunction()
