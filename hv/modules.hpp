#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "boot/multiboot2.hpp"

namespace archelon::hv {

// The files that GRUB loaded, by the string of their module line. They stay where they are, in
// memory that is never given to a VM.
void set_modules(const boot::BootInfo& info);
[[nodiscard]] std::optional<std::span<const std::byte>> find_module(std::string_view name);
[[nodiscard]] std::span<const std::string_view> module_names();

}  // namespace archelon::hv
