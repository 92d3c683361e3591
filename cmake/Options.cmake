# Flags of our own code. `narrows_options` is linked by every target that is ours.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# Assertions guard programmer errors and stay on in release builds. Sanitizers look at -O1: it takes
# half the time to compile, and their checks outweigh what -O2 gains.
if(NARROWS_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1")
else()
  set(CMAKE_CXX_FLAGS_RELEASE "-O2")
endif()

add_library(narrows_options INTERFACE)
target_include_directories(narrows_options INTERFACE "${PROJECT_SOURCE_DIR}/src")
target_compile_options(narrows_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror
  # Two machines must compute the same floats from the same source.
  -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # These three misfire on std::vector in g++ 12; the sanitizer build finds what they would.
  target_compile_options(narrows_options INTERFACE
    -Wno-array-bounds -Wno-stringop-overflow -Wno-restrict)
endif()
if(NARROWS_SANITIZE)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Sanitizers make it misfire (gcc's manual says so of -fsanitize), in g++ 12 on std::optional.
    target_compile_options(narrows_options INTERFACE -Wno-maybe-uninitialized)
  endif()
  target_compile_options(narrows_options INTERFACE
    -fsanitize=${NARROWS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  target_link_options(narrows_options INTERFACE -fsanitize=${NARROWS_SANITIZE})
  # What tests run with: the first report ends the program.
  set(NARROWS_SANITIZER_ENVIRONMENT
    "ASAN_OPTIONS=detect_leaks=1:halt_on_error=1:detect_stack_use_after_return=1"
    "UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1")
endif()
if(NARROWS_FUZZ)
  target_compile_options(narrows_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# A cross compiler looks for a mold of its own.
find_program(NARROWS_MOLD mold)
if(NARROWS_MOLD AND NOT CMAKE_CROSSCOMPILING)
  add_link_options(-fuse-ld=mold)
endif()
find_program(NARROWS_CCACHE ccache)
if(NARROWS_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${NARROWS_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${NARROWS_CCACHE})
endif()
