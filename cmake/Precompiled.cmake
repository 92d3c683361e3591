# Precompiled headers, with NARROWS_PCH: most of the time of a small source goes into the standard
# library, fmt and GoogleTest. One header for the modules, one for the tests (executables are
# position-independent in another way than libraries, which the compiler takes for another header).
# No header of ours is in them, so that a change of ours rebuilds only what includes it.
option(NARROWS_PCH "Precompile the headers of the standard library, fmt and GoogleTest" OFF)

set(NARROWS_PCH_HEADERS <algorithm> <array> <bit> <chrono> <cmath> <cstdint> <cstring> <filesystem>
  <functional> <limits> <map> <memory> <mutex> <optional> <random> <set> <span> <string>
  <string_view> <unordered_map> <utility> <variant> <vector> <fmt/format.h>)

# narrows_precompile(TARGET KIND): uses the header of KIND, module or test.
function(narrows_precompile TARGET KIND)
  if(NARROWS_PCH)
    target_precompile_headers(${TARGET} REUSE_FROM narrows_${KIND}_pch)
    # A source with flags of its own reads the plain headers, which is no reason to complain.
    set_target_properties(${TARGET} PROPERTIES PCH_WARN_INVALID OFF)
  endif()
endfunction()

if(NARROWS_PCH)
  if(NARROWS_CCACHE)
    # Only so does ccache reuse objects that were made with a precompiled header.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
      ${NARROWS_CCACHE})
  endif()
  find_package(fmt REQUIRED)
  file(WRITE "${PROJECT_BINARY_DIR}/precompiled.cpp" "")
  add_library(narrows_module_pch OBJECT "${PROJECT_BINARY_DIR}/precompiled.cpp")
  target_link_libraries(narrows_module_pch PRIVATE narrows_options fmt::fmt)
  target_precompile_headers(narrows_module_pch PRIVATE ${NARROWS_PCH_HEADERS})
  if(NARROWS_TESTS)
    add_library(narrows_test_pch OBJECT "${PROJECT_BINARY_DIR}/precompiled.cpp")
    target_link_libraries(narrows_test_pch PRIVATE narrows_options fmt::fmt GTest::gtest)
    target_precompile_headers(narrows_test_pch PRIVATE ${NARROWS_PCH_HEADERS} <gtest/gtest.h>)
    set_target_properties(narrows_test_pch PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(narrows_test_pch PRIVATE -fPIE)
  endif()
endif()
