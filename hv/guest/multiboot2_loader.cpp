#include "hv/guest/multiboot2_loader.hpp"

#include <algorithm>

#include "hv/base/byte_reader.hpp"

namespace archelon::guest {
namespace {

enum class HeaderTag : std::uint16_t {
  kEnd = 0,
  kInformationRequest = 1,
  kAddress = 2,
  kEntryAddress = 3,
  kConsoleFlags = 4,
  kFramebuffer = 5,
  kModuleAlignment = 6,
  kEfiBootServices = 7,
  kEntryAddressEfi32 = 8,
  kEntryAddressEfi64 = 9,
  kRelocatable = 10,
};

constexpr std::uint16_t kOptional = 1;
constexpr std::uint32_t kConsoleRequired = 1;
constexpr std::uint32_t kLastInformation = 21;  // the highest type of boot information tag
constexpr std::uint64_t kHeaderSize = 16;

// Collects what the header's tags say.
class HeaderReader {
 public:
  HeaderReader(ByteReader header, std::size_t header_offset)
      : header_(header), header_offset_(header_offset) {}

  Result<Multiboot2Plan, LoadError> run(std::span<const std::byte> file) {
    std::uint64_t at = kHeaderSize;
    while (true) {
      const auto type = header_.get<std::uint16_t>(at);
      const auto flags = header_.get<std::uint16_t>(at + 2);
      const auto size = header_.get<std::uint32_t>(at + 4);
      if (!type || !flags || !size) {
        return Err{LoadError{LoadFault::kMultibootHeaderCutOff}};
      }
      if (HeaderTag{*type} == HeaderTag::kEnd) {
        break;
      }
      const auto tag = header_.slice(at + 8, *size < 8 ? header_.size() : *size - 8);
      if (!tag) {
        return Err{LoadError{LoadFault::kMultiboot2MalformedTag, *type, 0}};
      }
      const auto understood = read_tag(HeaderTag{*type}, *flags, ByteReader(*tag));
      if (!understood) {
        return Err{understood.error()};
      }
      at += align_up(*size, 8);
    }
    return plan(file);
  }

 private:
  Status<LoadError> read_tag(HeaderTag type, std::uint16_t flags, ByteReader tag) {
    const bool optional = (flags & kOptional) != 0;
    const auto number = static_cast<std::uint16_t>(type);
    const LoadError malformed{LoadFault::kMultiboot2MalformedTag, number, 0};
    switch (type) {
      case HeaderTag::kInformationRequest:
        return optional ? Status<LoadError>(Ok{}) : information_request(tag);
      case HeaderTag::kAddress:
        if (tag.size() < 16) {
          return Err{malformed};
        }
        addresses_ = AddressFields{*tag.get<std::uint32_t>(0), *tag.get<std::uint32_t>(4),
                                   *tag.get<std::uint32_t>(8), *tag.get<std::uint32_t>(12), 0};
        return Ok{};
      case HeaderTag::kEntryAddress:
        entry_ = tag.get<std::uint32_t>(0);
        return entry_ ? Status<LoadError>(Ok{}) : Status<LoadError>(Err{malformed});
      case HeaderTag::kConsoleFlags:
        if (!optional && (tag.get<std::uint32_t>(0).value_or(0) & kConsoleRequired) != 0) {
          return Err{LoadError{LoadFault::kMultibootVideo}};
        }
        return Ok{};
      case HeaderTag::kFramebuffer:
        return optional ? Status<LoadError>(Ok{})
                        : Status<LoadError>(Err{LoadError{LoadFault::kMultibootVideo}});
      case HeaderTag::kRelocatable:
        return relocatable(tag, malformed);
      case HeaderTag::kModuleAlignment:
      // What a kernel can do under EFI; on a machine without it these tags have no meaning.
      case HeaderTag::kEfiBootServices:
      case HeaderTag::kEntryAddressEfi32:
      case HeaderTag::kEntryAddressEfi64:
        return Ok{};
      default:
        return optional ? Status<LoadError>(Ok{})
                        : Status<LoadError>(
                              Err{LoadError{LoadFault::kMultiboot2RequiredTag, number, 0}});
    }
  }

  // A request obliges the loader to know the tag, not to have what it would tell: a machine without
  // a display may leave out tag 8.
  static Status<LoadError> information_request(ByteReader tag) {
    for (std::size_t at = 0; at + 4 <= tag.size(); at += 4) {
      const std::uint32_t type = *tag.get<std::uint32_t>(at);
      if (type > kLastInformation) {
        return Err{LoadError{LoadFault::kMultiboot2RequiredInfo, type, 0}};
      }
    }
    return Ok{};
  }

  Status<LoadError> relocatable(ByteReader tag, const LoadError& malformed) {
    const auto preference = tag.get<std::uint32_t>(12);
    if (!preference) {
      return Err{malformed};
    }
    Multiboot2Relocation relocation;
    relocation.min = *tag.get<std::uint32_t>(0);
    relocation.max = *tag.get<std::uint32_t>(4);
    relocation.alignment = std::max<std::uint32_t>(*tag.get<std::uint32_t>(8), 1);
    if ((relocation.alignment & (relocation.alignment - 1)) != 0 || *preference > 2) {
      return Err{malformed};
    }
    relocation.preference = Multiboot2Relocation::Preference{*preference};
    relocation_ = relocation;
    return Ok{};
  }

  Result<Multiboot2Plan, LoadError> plan(std::span<const std::byte> file) {
    Result<BootImage, LoadError> image = addresses_ ? flat(file) : elf_image(file);
    if (!image) {
      return Err{image.error()};
    }
    Multiboot2Plan plan{image.value(), relocation_};
    if (entry_) {
      plan.image.entry = *entry_;
    }
    return plan;
  }

  Result<BootImage, LoadError> flat(std::span<const std::byte> file) {
    constexpr std::uint32_t kFromFileStart = 0xFFFF'FFFF;
    AddressFields fields = *addresses_;
    if (!entry_) {
      return Err{LoadError{LoadFault::kNoLoadAddress}};
    }
    fields.entry = *entry_;
    if (fields.load == kFromFileStart) {
      if (fields.header < header_offset_) {
        return Err{LoadError{LoadFault::kAddressFields}};
      }
      fields.load = fields.header - truncate<std::uint32_t>(header_offset_);
    }
    return flat_image(file, header_offset_, fields);
  }

  ByteReader header_;
  std::size_t header_offset_;
  std::optional<AddressFields> addresses_;
  std::optional<std::uint32_t> entry_;
  std::optional<Multiboot2Relocation> relocation_;
};

}  // namespace

Result<Multiboot2Plan, LoadError> plan_multiboot2(std::span<const std::byte> file) {
  constexpr std::size_t kSearched = 32768;
  const auto offset = find_multiboot2_header(file);
  if (!offset) {
    return Err{LoadError{LoadFault::kUnknownKernel}};
  }
  const ByteReader reader(file.first(std::min(file.size(), kSearched)));
  const std::uint32_t architecture = reader.get<std::uint32_t>(*offset + 4).value_or(0);
  if (architecture != 0) {
    return Err{LoadError{LoadFault::kMultibootArchitecture, architecture, 0}};
  }
  const auto header = reader.slice(*offset, reader.get<std::uint32_t>(*offset + 8).value_or(0));
  if (!header) {
    return Err{LoadError{LoadFault::kMultibootHeaderCutOff}};
  }
  return HeaderReader(ByteReader(*header), *offset).run(file);
}

Status<LoadError> relocate(Multiboot2Plan& plan, const MemoryLayout& layout) {
  if (!plan.relocation) {
    return Ok{};
  }
  using Preference = Multiboot2Relocation::Preference;
  const Multiboot2Relocation& wish = *plan.relocation;
  const std::uint64_t base = plan.image.low();
  const std::uint64_t size = plan.image.high() - base;
  // Low memory is left to the boot information and to the kernel's own start-up code.
  const std::uint64_t min = std::max<std::uint64_t>(wish.min, kMiB);
  const std::uint64_t end = std::uint64_t{wish.max} + 1;
  const bool stays = base >= wish.min && base + size <= end && is_aligned(base, wish.alignment) &&
                     layout.is_usable_ram(Gpa1{base}, size);
  if (wish.preference == Preference::kNone && stays) {
    return Ok{};
  }
  BootPlacer placer(layout);
  const auto target = wish.preference == Preference::kHighest
                          ? placer.take_highest(size, wish.alignment, min, end)
                          : placer.take_lowest(size, wish.alignment, min, end);
  if (!target) {
    return Err{LoadError{LoadFault::kMultibootRelocation, wish.min, wish.max}};
  }
  plan.image.move_by(*target - base);
  return Ok{};
}

}  // namespace archelon::guest
