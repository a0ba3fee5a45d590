#include "hv/backtrace.hpp"

#include <optional>

#include "hv/base/symbols.hpp"
#include "hv/hw/direct_map.hpp"
#include "hv/hw/image.hpp"
#include "hv/hw/paging.hpp"

extern "C" const std::byte symbol_table_start[];
extern "C" const std::byte symbol_table_end[];

namespace archelon::hv {
namespace {

constexpr unsigned kMaxFrames = 24;

bool is_readable(std::uint64_t address) {
  return (address & 7) == 0 && address >= hw::kDirectMapBase && hw::is_mapped(Hva(address), 16);
}

}  // namespace

std::string_view describe_code(std::span<char> out, std::uint64_t rip) {
  const hw::HvaRange text = hw::image_text();
  if (Hva(rip) >= text.start && Hva(rip) < text.end) {
    const std::span<const std::byte> table(symbol_table_start, symbol_table_end);
    const auto place = find_symbol(table, static_cast<std::uint32_t>(rip - hw::kImageVma));
    if (place) {
      return format(out, "{:#016x} {}+{:#x}", rip, place->name, place->offset);
    }
  }
  return format(out, "{:#016x}", rip);
}

void walk_stack(std::uint64_t rbp, void (*visit)(std::uint64_t rip)) {
  for (unsigned i = 0; i < kMaxFrames && is_readable(rbp); ++i) {
    const auto* frame = reinterpret_cast<const std::uint64_t*>(rbp);
    if (frame[1] == 0) {
      return;
    }
    visit(frame[1]);
    if (frame[0] <= rbp) {
      return;
    }
    rbp = frame[0];
  }
}

}  // namespace archelon::hv
