# The kernel image: freestanding, general registers only, linked by linker.ld.
enable_language(ASM_NASM)
set(CMAKE_ASM_NASM_OBJECT_FORMAT elf64)

set(kernel_flags -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics
  -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-omit-frame-pointer
  -fno-stack-protector -fno-pic -fno-pie -mno-red-zone -mcmodel=kernel -O2 -g
  -fcf-protection=none -ffunction-sections -fdata-sections -D_GLIBCXX_ASSERTIONS)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # -mgeneral-regs-only and -mno-80387 break libstdc++'s headers on Clang; the image check looks
  # for FPU instructions instead.
  list(APPEND kernel_flags -mno-sse -mno-mmx)
else()
  list(APPEND kernel_flags -mgeneral-regs-only)
endif()

set(kernel_sources)
foreach(layer IN LISTS ARCHELON_LAYERS)
  archelon_layer_sources(${layer} pure hw)
  list(APPEND kernel_sources ${pure} ${hw})
endforeach()
file(GLOB composition CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/hv/*.cpp ${PROJECT_SOURCE_DIR}/hv/exits/*.cpp
  ${PROJECT_SOURCE_DIR}/hv/nested/*.cpp ${PROJECT_SOURCE_DIR}/hv/hw/*.cpp)
file(GLOB_RECURSE assembly CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/boot/*.asm ${PROJECT_SOURCE_DIR}/hv/*.asm
  ${PROJECT_SOURCE_DIR}/vmx/*.asm)

add_library(kernel_objects OBJECT ${kernel_sources} ${composition} ${assembly})
target_compile_options(kernel_objects PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${kernel_flags}>)
# NASM gets no C++ warning flags.
set_source_files_properties(${assembly} PROPERTIES COMPILE_OPTIONS "")

set_source_files_properties(${PROJECT_SOURCE_DIR}/hv/monitor_commands.cpp PROPERTIES
  COMPILE_DEFINITIONS ARCHELON_VERSION="${PROJECT_VERSION}")

# Two links: the first image gives the table of functions for backtraces, the second carries it.
# linker.ld places the table after the code, so that no function moves.
function(archelon_image name)
  add_executable(${name} $<TARGET_OBJECTS:kernel_objects> ${ARGN})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/linker.ld)
  target_link_options(${name} PRIVATE -nostdlib -static
    $<$<CXX_COMPILER_ID:GNU>:-no-pie>
    -T${PROJECT_SOURCE_DIR}/linker.ld -Wl,--gc-sections -Wl,-z,max-page-size=4096
    -Wl,-z,noexecstack -Wl,--build-id=none -Wl,--fatal-warnings)
endfunction()

find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(symbols ${CMAKE_CURRENT_BINARY_DIR}/symbols)
archelon_image(archelon-unsymbolised.elf)
add_custom_command(OUTPUT ${symbols}.o
  COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/symbols.py ${CMAKE_NM}
    $<TARGET_FILE:archelon-unsymbolised.elf> ${symbols}.bin
  COMMAND ${CMAKE_OBJCOPY} -I binary -O elf64-x86-64
    --rename-section .data=.symbols,alloc,load,readonly,data,contents ${symbols}.bin ${symbols}.o
  DEPENDS archelon-unsymbolised.elf ${PROJECT_SOURCE_DIR}/tools/symbols.py
  COMMENT "Collecting the function names"
  VERBATIM)
set_source_files_properties(${symbols}.o PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
archelon_image(archelon.elf ${symbols}.o)
