# libtorch from the PyPI wheel, as imported target tapir::torch. find_package(Torch) on that wheel asks for a CUDA
# toolkit; programs of ATen headers need two of its libraries only.
set(torch_root "${TAPIR_TORCH_ROOT}")
if(NOT torch_root)
  file(GLOB candidates ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
  if(candidates)
    list(GET candidates 0 torch_root)
  endif()
endif()
if(NOT EXISTS "${torch_root}/lib/libtorch_cpu.so" OR NOT EXISTS "${torch_root}/include/ATen/core/TensorBody.h")
  message(FATAL_ERROR "libtorch was not found at '${torch_root}'.\n"
    "Run `./dev setup`, which installs the torch wheel into .venv; or name an installed wheel with "
    "-DTAPIR_TORCH_ROOT=.../site-packages/torch; or build without the student with -DTAPIR_WITH_STUDENT=OFF.")
endif()

file(STRINGS "${torch_root}/include/torch/headeronly/version.h" version_lines
     REGEX "#define TORCH_VERSION_(MAJOR|MINOR) +[0-9]+")
string(REGEX REPLACE ".*MAJOR +([0-9]+).*MINOR +([0-9]+).*" "\\1.\\2" torch_version "${version_lines}")
if(torch_version VERSION_LESS 2.11)
  message(FATAL_ERROR "torch 2.11 or later is needed; ${torch_root} holds ${torch_version}. Run `./dev setup`.")
endif()

foreach(library IN ITEMS c10 torch_cpu)
  add_library(tapir_${library} SHARED IMPORTED GLOBAL)
  set_target_properties(tapir_${library} PROPERTIES IMPORTED_LOCATION ${torch_root}/lib/lib${library}.so)
endforeach()
add_library(tapir_torch INTERFACE)
add_library(tapir::torch ALIAS tapir_torch)
# BEFORE: Debian's own libtorch-dev, in /usr/include, must not win. SYSTEM: its warnings are not ours.
target_include_directories(tapir_torch SYSTEM BEFORE INTERFACE ${torch_root}/include)
target_link_libraries(tapir_torch INTERFACE tapir_torch_cpu tapir_c10)
# The wheel's libraries find CUDA's runtime by their own RPATH; ours only has to find them.
set(CMAKE_BUILD_RPATH ${torch_root}/lib)
set(TAPIR_TORCH_LIBRARY_DIR ${torch_root}/lib)
message(STATUS "torch ${torch_version}: ${torch_root}")
