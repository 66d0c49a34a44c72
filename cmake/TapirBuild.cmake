# Compiler settings, and the two functions with which every folder declares itself.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
find_program(TAPIR_CCACHE ccache)
if(TAPIR_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TAPIR_CCACHE})
endif()

add_library(tapir_options INTERFACE)
target_compile_options(tapir_options INTERFACE -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor
                       -Wno-missing-field-initializers
                       -Wno-restrict)  # GCC 12 sees overlaps in std::string that are none (GCC bug 105651)
# Same bits on every machine of one type: no contraction that depends on how the compiler arranged a loop.
target_compile_options(tapir_options INTERFACE -ffp-contract=off)
if(TAPIR_SANITIZE)
  add_compile_options(-fsanitize=${TAPIR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TAPIR_SANITIZE})
endif()
find_package(Threads REQUIRED)

# tapir_library(NAME <folder> SOURCES <files...> LINKS <targets...>)
# One static library tapir_<folder>, alias tapir::<folder>. LINKS is the folder's row in the table of src/README.md.
function(tapir_library)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;LINKS" ${ARGN})
  add_library(tapir_${ARG_NAME} STATIC ${ARG_SOURCES})
  add_library(tapir::${ARG_NAME} ALIAS tapir_${ARG_NAME})
  target_include_directories(tapir_${ARG_NAME} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(tapir_${ARG_NAME} PUBLIC ${ARG_LINKS} PRIVATE tapir_options)
endfunction()

# tapir_api(NAME <folder>_api LINKS <targets...>): the header-only seam of a folder.
function(tapir_api)
  cmake_parse_arguments(ARG "" "NAME" "LINKS" ${ARGN})
  add_library(tapir_${ARG_NAME} INTERFACE)
  add_library(tapir::${ARG_NAME} ALIAS tapir_${ARG_NAME})
  target_include_directories(tapir_${ARG_NAME} INTERFACE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(tapir_${ARG_NAME} INTERFACE ${ARG_LINKS})
endfunction()

# tapir_test(NAME <folder> SOURCES <files...> LINKS <targets...> [LABEL fast|student|e2e|slow|gpu|browser])
# One GoogleTest program <folder>_test; every TEST is a ctest of its own.
function(tapir_test)
  cmake_parse_arguments(ARG "" "NAME;LABEL" "SOURCES;LINKS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL fast)
  endif()
  add_executable(${ARG_NAME}_test ${ARG_SOURCES})
  target_link_libraries(${ARG_NAME}_test PRIVATE ${ARG_LINKS} GTest::gmock GTest::gtest_main tapir_options)
  target_include_directories(${ARG_NAME}_test PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${ARG_NAME}_test PRIVATE TAPIR_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                             TAPIR_BINARY_DIR="${CMAKE_BINARY_DIR}")
  gtest_discover_tests(${ARG_NAME}_test NO_PRETTY_VALUES TEST_PREFIX ${ARG_NAME}. PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 600
                       DISCOVERY_MODE PRE_TEST)
endfunction()
