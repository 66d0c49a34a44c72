# cmake --install build --prefix P: P/bin/tapir runs from anywhere. Prompts and taxonomies are inside the program; beside
# it go the recipes and their assets (share/tapir) and the libraries of the torch wheel (lib/tapir), found by $ORIGIN.
include(GNUInstallDirs)
set(TAPIR_LIBRARIES lib/tapir)

if(TARGET tapir)
  set_target_properties(tapir PROPERTIES INSTALL_RPATH "$ORIGIN/../${TAPIR_LIBRARIES}")
  install(TARGETS tapir RUNTIME_DEPENDENCY_SET tapir_dependencies RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  if(TAPIR_WITH_STUDENT)
    # What lies in site-packages is ours to carry (libtorch_cpu, libc10, libgomp, libcudart, libcupti); the rest is Debian's.
    install(RUNTIME_DEPENDENCY_SET tapir_dependencies
            PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|stdc\\+\\+|gcc_s)\\.so"
            POST_INCLUDE_REGEXES "/site-packages/" "/dist-packages/" "/torch/lib/"
            POST_EXCLUDE_REGEXES ".*"
            LIBRARY DESTINATION ${TAPIR_LIBRARIES})
  endif()
endif()

foreach(folder IN ITEMS recipes assets)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${folder})
    install(DIRECTORY ${CMAKE_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_DATADIR}/tapir)
  endif()
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
