#include "hv/guest/multiboot_boot.hpp"

#include <algorithm>

#include "hv/base/byte_reader.hpp"

namespace archelon::guest {
namespace {

// Where the symbol and string tables are that no segment has loaded. Symbols are a favour: what
// contradicts the file or finds no room is left out.
void place_symbols(const BootRequest& request, const BootImage& image, BootPlacer& placer,
                   MultibootPlacement& placement) {
  if (!image.sections) {
    return;
  }
  for (std::uint32_t i = 0; i < image.sections->count; ++i) {
    const ElfSection section = elf_section(*image.sections, i);
    if ((section.type != kElfSymbols && section.type != kElfStrings) || section.address != 0 ||
        section.size == 0) {
      continue;
    }
    const auto bytes = ByteReader(request.kernel).slice(section.offset, section.size);
    if (!bytes || placement.symbols.full()) {
      continue;
    }
    const auto at = placer.take_lowest(section.size, kPageSize, kMiB, kHighRam.value());
    if (at) {
      (void)placement.symbols.push_back({i, *at, *bytes});
    }
  }
}

}  // namespace

bool BootPlacer::take(std::uint64_t base, std::uint64_t size) {
  return taken_.push_back({base, size});
}

const BootPlacer::Piece* BootPlacer::overlapped(std::uint64_t base, std::uint64_t size) const {
  const auto found = std::ranges::find_if(taken_, [=](const Piece& piece) {
    return base < piece.base + piece.size && piece.base < base + size;
  });
  return found == taken_.end() ? nullptr : found;
}

std::optional<std::uint64_t> BootPlacer::take_lowest(std::uint64_t size, std::uint64_t alignment,
                                                     std::uint64_t from, std::uint64_t end) {
  size = std::max<std::uint64_t>(size, 1);
  end = std::min(end, layout_.low_ram_end().value());
  std::uint64_t base = align_up(from, alignment);
  // Each step leaves a taken piece or a hole behind for good.
  while (base < end && size <= end - base) {
    if (const Piece* piece = overlapped(base, size)) {
      base = align_up(piece->base + piece->size, alignment);
    } else if (layout_.is_usable_ram(Gpa1{base}, size)) {
      return take(base, size) ? std::optional(base) : std::nullopt;
    } else if (base < kFirmwareAreaEnd.value()) {
      base = align_up(kFirmwareAreaEnd.value(), alignment);
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> BootPlacer::take_highest(std::uint64_t size, std::uint64_t alignment,
                                                      std::uint64_t from, std::uint64_t end) {
  size = std::max<std::uint64_t>(size, 1);
  end = std::min(end, layout_.low_ram_end().value());
  from = std::max(from, kMiB);
  while (size <= end) {
    const std::uint64_t base = align_down(end - size, alignment);
    if (base < from) {
      return std::nullopt;
    }
    if (const Piece* piece = overlapped(base, size)) {
      end = piece->base;
    } else {
      return take(base, size) ? std::optional(base) : std::nullopt;
    }
  }
  return std::nullopt;
}

Result<MultibootPlacement, LoadError> place_boot_data(const BootRequest& request,
                                                      const BootImage& image) {
  if (request.modules.size() > kMaxBootModules) {
    return Err{LoadError{LoadFault::kTooManyModules, request.modules.size(), kMaxBootModules}};
  }
  BootPlacer placer(request.layout);
  for (const ImageSegment& segment : image.segments) {
    (void)placer.take(segment.address, segment.size);  // at most 16 of 64
  }
  MultibootPlacement placement;
  auto info =
      placer.take_lowest(kBootInfoSize, kPageSize, kBootInfoBase, kBootInfoBase + kBootInfoSize);
  if (!info) {
    info = placer.take_lowest(kBootInfoSize, kPageSize, kMiB, kHighRam.value());
  }
  if (!info) {
    return Err{LoadError{LoadFault::kMultibootInfoDoesNotFit, kBootInfoSize, 0}};
  }
  placement.info = *info;

  // Modules follow the kernel as long as they fit there, for kernels that expect it.
  for (const BootModule& module : request.modules) {
    const std::uint64_t size = module.bytes.size();
    auto at = placer.take_lowest(size, kPageSize, std::max(image.high(), kMiB), kHighRam.value());
    if (!at) {
      at = placer.take_lowest(size, kPageSize, kMiB, kHighRam.value());
    }
    if (!at) {
      return Err{
          LoadError{LoadFault::kModulesDoNotFit, size, request.layout.low_ram_end().value()}};
    }
    (void)placement.modules.push_back(*at);
  }
  place_symbols(request, image, placer, placement);
  return placement;
}

}  // namespace archelon::guest
