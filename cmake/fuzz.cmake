# The fuzzers: each tests/fuzz/NAME.cpp becomes fuzz_NAME, with libFuzzer, ASan and UBSan. Clang only.
# Run one for a while: ./build/fuzz/fuzz_NAME -max_total_time=60
add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
  -fno-omit-frame-pointer -O1 -g)
add_link_options(-fsanitize=fuzzer,address,undefined)

set(pure_sources)
foreach(layer IN LISTS ARCHELON_LAYERS)
  archelon_layer_sources(${layer} pure hw)
  list(APPEND pure_sources ${pure})
endforeach()
add_library(pure STATIC ${pure_sources} tests/support/assert.cpp)
target_compile_definitions(pure PRIVATE ARCHELON_HOST=1)

file(GLOB fuzzers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/*.cpp)
foreach(fuzzer IN LISTS fuzzers)
  get_filename_component(name ${fuzzer} NAME_WE)
  add_executable(fuzz_${name} ${fuzzer})
  target_compile_definitions(fuzz_${name} PRIVATE ARCHELON_HOST=1)
  target_link_libraries(fuzz_${name} PRIVATE pure)
endforeach()
