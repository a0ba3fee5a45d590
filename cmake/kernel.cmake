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
file(GLOB composition CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/hv/*.cpp ${PROJECT_SOURCE_DIR}/hv/hw/*.cpp)
file(GLOB_RECURSE assembly CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/boot/*.asm ${PROJECT_SOURCE_DIR}/hv/*.asm
  ${PROJECT_SOURCE_DIR}/vmx/*.asm)

add_executable(archelon.elf ${kernel_sources} ${composition} ${assembly})
target_compile_options(archelon.elf PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${kernel_flags}>)
# NASM gets no C++ warning flags.
set_source_files_properties(${assembly} PROPERTIES COMPILE_OPTIONS "")
target_link_options(archelon.elf PRIVATE -nostdlib -static -no-pie
  -T${PROJECT_SOURCE_DIR}/linker.ld -Wl,--gc-sections -Wl,-z,max-page-size=4096
  -Wl,-z,noexecstack -Wl,--build-id=none -Wl,--fatal-warnings)
set_target_properties(archelon.elf PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/linker.ld)
