#include "boot/memory_map.hpp"

#include <algorithm>

#include "hv/base/bits.hpp"
#include "hv/base/byte_reader.hpp"

namespace archelon::boot {
namespace {

constexpr Hpa kLastPage = Hpa(~std::uint64_t{0}).page();

Hpa page_up(Hpa address) {
  return address >= kLastPage ? kLastPage : Hpa(align_up(address.value(), kPageSize));
}

struct EfiDescriptor {
  std::uint32_t type;
  Hpa begin;
  std::uint64_t length;
  std::uint64_t attributes;
};

template <class Visit>
void for_each_descriptor(const EfiMemoryMap& efi, Visit visit) {
  // EFI_MEMORY_DESCRIPTOR: Type at 0, PhysicalStart at 8, NumberOfPages at 24, Attribute at 32.
  const ByteReader reader(efi.bytes);
  for (std::size_t at = 0; reader.slice(at, efi.descriptor_size); at += efi.descriptor_size) {
    const std::uint64_t pages = *reader.get<std::uint64_t>(at + 24);
    const bool too_many = pages > ~std::uint64_t{0} / kPageSize;
    visit(EfiDescriptor{*reader.get<std::uint32_t>(at), Hpa(*reader.get<std::uint64_t>(at + 8)),
                        too_many ? ~std::uint64_t{0} : pages * kPageSize,
                        *reader.get<std::uint64_t>(at + 32)});
  }
}

}  // namespace

std::string_view to_string(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kUsable:
      return "usable";
    case MemoryKind::kTaken:
      return "taken";
    case MemoryKind::kAcpiReclaimable:
      return "ACPI tables";
    case MemoryKind::kAcpiNvs:
      return "ACPI NVS";
    case MemoryKind::kReserved:
      return "reserved";
    case MemoryKind::kDefective:
      return "defective";
  }
  return "?";
}

void MemoryMap::add(Hpa begin, std::uint64_t length, MemoryKind kind) {
  if (length == 0) {
    return;
  }
  const bool wraps = begin.value() > ~std::uint64_t{0} - length;
  const Hpa end = wraps ? kLastPage : begin + length;
  if (kind == MemoryKind::kUsable) {
    paint(page_up(begin), end.page(), kind, Holes::kFill);
  } else {
    paint(begin.page(), page_up(end), kind, Holes::kFill);
  }
}

void MemoryMap::reserve(Hpa begin, Hpa end) {
  paint(begin.page(), page_up(end), MemoryKind::kTaken, Holes::kSkip);
}

std::optional<Hpa> MemoryMap::take(std::uint64_t size, std::uint64_t alignment, Hpa below) {
  const bool power_of_two = alignment != 0 && (alignment & (alignment - 1)) == 0;
  if (size == 0 || size > kLastPage.value() || !power_of_two) {
    return std::nullopt;
  }
  const std::uint64_t bytes = align_up(size, kPageSize);
  for (std::size_t i = ranges_.size(); i-- > 0;) {
    const MemoryRange range = ranges_[i];
    const Hpa end = std::min(range.end, below);
    if (range.kind != MemoryKind::kUsable || end <= range.begin || end - range.begin < bytes) {
      continue;
    }
    const Hpa at = (end - bytes).align_down(std::max(alignment, kPageSize));
    if (at >= range.begin) {
      reserve(at, at + bytes);
      return at;
    }
  }
  return std::nullopt;
}

// Goes through [begin, end) in pieces that are wholly a hole or wholly within one range.
void MemoryMap::paint(Hpa begin, Hpa end, MemoryKind kind, Holes holes) {
  for (Hpa at = begin; at < end;) {
    std::size_t i = 0;
    while (i < ranges_.size() && ranges_[i].end <= at) {
      ++i;
    }
    if (i == ranges_.size() || ranges_[i].begin > at) {
      const Hpa stop = i == ranges_.size() ? end : std::min(end, ranges_[i].begin);
      if (holes == Holes::kFill) {
        fill_hole(i, at, stop, kind);
      }
      at = stop;
    } else {
      const Hpa stop = std::min(end, ranges_[i].end);
      if (ranges_[i].kind < kind) {
        restrict(i, at, stop, kind);
      }
      at = stop;
    }
  }
  merge();
}

// Makes the hole [begin, end) just before range `index` a range, by growing a neighbour if it can.
void MemoryMap::fill_hole(std::size_t index, Hpa begin, Hpa end, MemoryKind kind) {
  if (kind == MemoryKind::kUsable && restriction_lost_) {
    lost_ += end - begin;
  } else if (index > 0 && ranges_[index - 1].end == begin && ranges_[index - 1].kind == kind) {
    ranges_[index - 1].end = end;
  } else if (!ranges_.insert(index, MemoryRange{begin, end, kind})) {
    if (kind == MemoryKind::kUsable) {
      lost_ += end - begin;
    } else {
      restriction_lost_ = true;
    }
  }
}

// Makes [begin, end) within range `index` of a more restrictive kind. Where there is no room for
// the parts, the range ends at `begin`: that needs no room, and takes away too much, not too
// little.
void MemoryMap::restrict(std::size_t index, Hpa begin, Hpa end, MemoryKind kind) {
  const MemoryRange whole = ranges_[index];
  const bool has_left = whole.begin < begin;
  const bool has_right = end < whole.end;
  if (ranges_.size() + has_left + has_right > kMaxRanges) {
    restriction_lost_ = true;
    if (whole.kind == MemoryKind::kUsable) {
      lost_ += whole.end - end;
    }
    if (has_left) {
      ranges_[index].end = begin;
    } else {
      ranges_.erase(index);
    }
    return;
  }
  ranges_[index] = MemoryRange{begin, end, kind};
  if (has_right) {
    static_cast<void>(ranges_.insert(index + 1, MemoryRange{end, whole.end, whole.kind}));
  }
  if (has_left) {
    static_cast<void>(ranges_.insert(index, MemoryRange{whole.begin, begin, whole.kind}));
  }
}

void MemoryMap::merge() {
  for (std::size_t i = 1; i < ranges_.size();) {
    if (ranges_[i - 1].end == ranges_[i].begin && ranges_[i - 1].kind == ranges_[i].kind) {
      ranges_[i - 1].end = ranges_[i].end;
      ranges_.erase(i);
    } else {
      ++i;
    }
  }
}

bool MemoryMap::is_all(Hpa begin, Hpa end, MemoryKind kind) const {
  // Neighbours of one kind are merged, so a single range must hold it all.
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const MemoryRange& range) {
    return range.kind == kind && range.begin <= begin && end <= range.end;
  });
}

std::uint64_t MemoryMap::bytes(MemoryKind kind) const {
  std::uint64_t sum = 0;
  for (const MemoryRange& range : ranges_) {
    sum += range.kind == kind ? range.size() : 0;
  }
  return sum;
}

Hpa MemoryMap::top_of_ram() const {
  Hpa top;
  for (const MemoryRange& range : ranges_) {
    if (range.kind <= MemoryKind::kAcpiReclaimable) {
      top = range.end;
    }
  }
  return top;
}

MemoryKind kind_of_e820(std::uint32_t type) {
  switch (type) {
    case 1:
      return MemoryKind::kUsable;
    case 3:
      return MemoryKind::kAcpiReclaimable;
    case 4:
      return MemoryKind::kAcpiNvs;
    case 5:
      return MemoryKind::kDefective;
    default:
      return MemoryKind::kReserved;
  }
}

MemoryKind kind_of_efi(std::uint32_t type, std::uint64_t attributes) {
  constexpr std::uint64_t kWriteBack = bit(3), kSpecificPurpose = bit(18), kRuntime = bit(63);
  switch (type) {
    case 1:  // EfiLoaderCode
    case 2:  // EfiLoaderData
    case 3:  // EfiBootServicesCode
    case 4:  // EfiBootServicesData
    case 7:  // EfiConventionalMemory
      return (attributes & (kWriteBack | kSpecificPurpose | kRuntime)) == kWriteBack
                 ? MemoryKind::kUsable
                 : MemoryKind::kReserved;
    case 8:  // EfiUnusableMemory
      return MemoryKind::kDefective;
    case 9:  // EfiACPIReclaimMemory
      return MemoryKind::kAcpiReclaimable;
    case 10:  // EfiACPIMemoryNVS
      return MemoryKind::kAcpiNvs;
    default:
      return MemoryKind::kReserved;
  }
}

bool build_memory_map(const BootInfo& info, MemoryMap& map) {
  // What is usable comes from the loader's map if there is one; restrictions come from both. Usable
  // memory goes first: should the map fill up, restrictions on it find a way, and the rest is
  // holes.
  for (const bool usable : {true, false}) {
    for (const RawMemoryMapEntry& entry : info.memory_map) {
      const MemoryKind kind = kind_of_e820(entry.type);
      if ((kind == MemoryKind::kUsable) == usable) {
        map.add(entry.base, entry.length, kind);
      }
    }
    if (info.efi_memory_map && !(usable && !info.memory_map.empty())) {
      for_each_descriptor(*info.efi_memory_map, [&](const EfiDescriptor& descriptor) {
        const MemoryKind kind = kind_of_efi(descriptor.type, descriptor.attributes);
        if ((kind == MemoryKind::kUsable) == usable) {
          map.add(descriptor.begin, descriptor.length, kind);
        }
      });
    }
  }
  return map.bytes(MemoryKind::kUsable) != 0;
}

}  // namespace archelon::boot
