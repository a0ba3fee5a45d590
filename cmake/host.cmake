# Host tests: every pure layer as a static library with ASan and UBSan, and one test binary per
# layer (unit_<layer>), so that one layer's tests build and run on their own.
enable_testing()
add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g)
add_link_options(-fsanitize=address,undefined)

add_library(catch_main STATIC tests/support/catch_main.cpp)
# The framework itself is not under test; GCC warns inside it when the sanitizers are on.
target_compile_options(catch_main PRIVATE -w -O0 -fno-sanitize=all)

set(pure_libraries)
foreach(layer IN LISTS ARCHELON_LAYERS)
  archelon_layer_sources(${layer} pure hw)
  string(REPLACE "/" "_" target ${layer})
  if(pure)
    add_library(${target} STATIC ${pure})
    target_compile_definitions(${target} PRIVATE ARCHELON_HOST=1)
    list(APPEND pure_libraries ${target})
  endif()
endforeach()

file(GLOB_RECURSE support_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.cpp)
list(FILTER support_sources EXCLUDE REGEX "catch_main")
add_library(test_support STATIC ${support_sources})

function(archelon_test_binary name)
  add_executable(${name} ${ARGN})
  target_compile_definitions(${name} PRIVATE ARCHELON_HOST=1
    ARCHELON_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  target_link_libraries(${name} PRIVATE catch_main
    -Wl,--start-group ${pure_libraries} test_support -Wl,--end-group)
  add_test(NAME ${name} COMMAND ${name} --warn NoTests)
endfunction()

function(archelon_tests_of kind folder)
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${kind}/${folder}/*.cpp)
  if(tests)
    archelon_test_binary(${kind}_${folder} ${tests})
  endif()
endfunction()

foreach(kind unit property)
  foreach(layer IN LISTS ARCHELON_LAYERS)
    string(REGEX REPLACE "^hv/" "" folder ${layer})
    archelon_tests_of(${kind} ${folder})
  endforeach()
  # The composition binds to the hardware, but for headers that compute alone.
  archelon_tests_of(${kind} hv)
endforeach()
