#include "hv/modules.hpp"

#include "hv/base/static_vector.hpp"
#include "hv/hw/direct_map.hpp"

namespace archelon::hv {
namespace {

constinit StaticVector<std::string_view, boot::kMaxModules> g_names;
constinit StaticVector<std::span<const std::byte>, boot::kMaxModules> g_bytes;

}  // namespace

void set_modules(const boot::BootInfo& info) {
  for (const boot::BootModule& module : info.modules) {
    const bool kept =
        g_names.push_back(module.string) &&
        g_bytes.push_back({hw::to_pointer<const std::byte>(module.start), module.size()});
    ARCHELON_ASSERT(kept);
  }
}

std::optional<std::span<const std::byte>> find_module(std::string_view name) {
  for (std::size_t i = 0; i < g_names.size(); ++i) {
    if (g_names[i] == name) {
      return g_bytes[i];
    }
  }
  return std::nullopt;
}

std::span<const std::string_view> module_names() { return {g_names.data(), g_names.size()}; }

}  // namespace archelon::hv
