#include "boot/multiboot2.hpp"

#include "hv/base/bits.hpp"
#include "hv/base/byte_reader.hpp"

namespace archelon::boot {
namespace {

constexpr std::uint32_t kHeaderSize = 8;     // total_size, reserved
constexpr std::uint32_t kTagHeaderSize = 8;  // type, size
constexpr std::uint32_t kTagAlignment = 8;
constexpr std::uint32_t kMaxScreenSide = 16384;

enum class TagType : std::uint32_t {
  kEnd = 0,
  kCommandLine = 1,
  kLoaderName = 2,
  kModule = 3,
  kBasicMemory = 4,
  kMemoryMap = 6,
  kFramebuffer = 8,
  kEfi64SystemTable = 12,
  kRsdpOld = 14,
  kRsdpNew = 15,
  kEfiMemoryMap = 17,
  kEfiBootServicesActive = 18,
  kImageLoadBase = 21,
};

class Parser {
 public:
  Parser(ByteReader reader, BootInfo& info) : reader_(reader), info_(info) {}

  Status<BootProblem> run() {
    // Tags lie one behind the other, and each step goes forward by at least a tag header, so the
    // walk ends with the bytes.
    std::uint32_t offset = kHeaderSize;
    while (true) {
      const auto type = reader_.get<std::uint32_t>(offset);
      const auto size = reader_.get<std::uint32_t>(std::size_t{offset} + 4);
      if (!type || !size) {
        return Err{BootProblem{"boot information has no end tag", 0, offset}};
      }
      type_ = *type;
      offset_ = offset;
      if (*size < kTagHeaderSize) {
        return Err{here("boot information tag is smaller than its header")};
      }
      const auto tag = reader_.slice(offset, *size);
      if (!tag) {
        return Err{here("boot information tag reaches past the end")};
      }
      if (static_cast<TagType>(type_) == TagType::kEnd) {
        return Ok{};
      }
      read_tag(ByteReader(*tag));
      offset = truncate<std::uint32_t>(align_up(std::uint64_t{offset} + *size, kTagAlignment));
    }
  }

 private:
  [[nodiscard]] BootProblem here(std::string_view text) const { return {text, type_, offset_}; }

  void problem(std::string_view text) {
    if (!info_.problems.push_back(here(text))) {
      ++info_.problems_dropped;
    }
  }

  void read_tag(ByteReader tag) {
    switch (static_cast<TagType>(type_)) {
      case TagType::kCommandLine:
        info_.command_line = string(tag, 8);
        break;
      case TagType::kLoaderName:
        info_.loader_name = string(tag, 8);
        break;
      case TagType::kModule:
        read_module(tag);
        break;
      case TagType::kBasicMemory:
        read_basic_memory(tag);
        break;
      case TagType::kMemoryMap:
        read_memory_map(tag);
        break;
      case TagType::kFramebuffer:
        read_framebuffer(tag);
        break;
      case TagType::kEfi64SystemTable:
        read_address<std::uint64_t>(tag, info_.efi_system_table);
        break;
      case TagType::kRsdpOld:
        info_.rsdp_old = tag.bytes().subspan(kTagHeaderSize);
        break;
      case TagType::kRsdpNew:
        info_.rsdp_new = tag.bytes().subspan(kTagHeaderSize);
        break;
      case TagType::kEfiMemoryMap:
        read_efi_memory_map(tag);
        break;
      case TagType::kEfiBootServicesActive:
        info_.efi_boot_services_active = true;
        break;
      case TagType::kImageLoadBase:
        read_address<std::uint32_t>(tag, info_.image_load_base);
        break;
      default:  // VBE, ELF symbols, APM, SMBIOS, network, ...: of no use here
        break;
    }
  }

  std::string_view string(ByteReader tag, std::size_t offset) {
    if (tag.size() <= offset) {
      problem("string tag without a string");
      return {};
    }
    const auto bytes = tag.bytes().subspan(offset);
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (text[i] == '\0') {
        return {text, i};
      }
    }
    problem("string without its terminating NUL");
    return {text, bytes.size()};
  }

  void read_module(ByteReader tag) {
    const auto start = tag.get<std::uint32_t>(8);
    const auto end = tag.get<std::uint32_t>(12);
    if (!start || !end) {
      return problem("module tag too short");
    }
    if (*end < *start) {
      return problem("module ends before it starts");
    }
    const BootModule module{Hpa(*start), Hpa(*end), string(tag, 16)};
    for (const BootModule& other : info_.modules) {
      if (module.start < other.end && other.start < module.end) {
        return problem("module overlaps an earlier one");
      }
    }
    if (!info_.modules.push_back(module)) {
      problem("too many modules");
    }
  }

  void read_basic_memory(ByteReader tag) {
    const auto lower = tag.get<std::uint32_t>(8);
    const auto upper = tag.get<std::uint32_t>(12);
    if (!lower || !upper) {
      return problem("basic memory tag too short");
    }
    info_.basic_memory = BasicMemory{std::uint64_t{*lower} << 10, std::uint64_t{*upper} << 10};
  }

  void read_memory_map(ByteReader tag) {
    constexpr std::uint32_t kMinEntrySize = 20;  // base, length, type
    const auto entry_size = tag.get<std::uint32_t>(8);
    const auto version = tag.get<std::uint32_t>(12);
    if (!entry_size || !version || *entry_size < kMinEntrySize) {
      return problem("memory map tag with an impossible entry size");
    }
    std::size_t at = 16;
    for (; tag.slice(at, *entry_size); at += *entry_size) {
      const RawMemoryMapEntry entry{Hpa(*tag.get<std::uint64_t>(at)),
                                    *tag.get<std::uint64_t>(at + 8),
                                    *tag.get<std::uint32_t>(at + 16)};
      if (!info_.memory_map.push_back(entry)) {
        return problem("too many memory map entries");
      }
    }
    if (at != tag.size()) {
      problem("memory map ends within an entry");
    }
  }

  void read_framebuffer(ByteReader tag) {
    const auto base = tag.get<std::uint64_t>(8);
    const auto pitch = tag.get<std::uint32_t>(16);
    const auto width = tag.get<std::uint32_t>(20);
    const auto height = tag.get<std::uint32_t>(24);
    const auto depth = tag.get<std::uint8_t>(28);
    const auto kind = tag.get<std::uint8_t>(29);
    if (!base || !pitch || !width || !height || !depth || !kind) {
      return problem("framebuffer tag too short");
    }
    Framebuffer fb{.base = Hpa(*base),
                   .pitch = *pitch,
                   .width = *width,
                   .height = *height,
                   .bits_per_pixel = *depth,
                   .kind = FramebufferKind::kEgaText,
                   .red = {},
                   .green = {},
                   .blue = {}};
    constexpr std::uint8_t kIndexed = 0, kRgb = 1, kEgaText = 2;
    std::uint32_t cell_bytes = 2;  // EGA text: character and attribute
    switch (*kind) {
      case kIndexed:
        return problem("framebuffer with indexed colour, not used");
      case kRgb:
        fb.kind = FramebufferKind::kRgb;
        cell_bytes = (fb.bits_per_pixel + 7U) / 8;
        if (!read_colours(tag, fb)) {
          return problem("framebuffer with impossible colour fields");
        }
        break;
      case kEgaText:
        break;
      default:
        return problem("framebuffer of unknown type");
    }
    if (fb.width == 0 || fb.height == 0 || fb.width > kMaxScreenSide ||
        fb.height > kMaxScreenSide || fb.pitch / cell_bytes < fb.width ||
        fb.pitch > kMaxScreenSide * 8 || fb.base.value() > ~std::uint64_t{0} - fb.size()) {
      return problem("framebuffer with impossible dimensions");
    }
    info_.framebuffer = fb;
  }

  static bool read_colours(ByteReader tag, Framebuffer& fb) {
    if (fb.bits_per_pixel < 15 || fb.bits_per_pixel > 32) {
      return false;
    }
    ColourField* const fields[] = {&fb.red, &fb.green, &fb.blue};
    std::size_t at = 32;
    for (ColourField* field : fields) {
      const auto position = tag.get<std::uint8_t>(at);
      const auto size = tag.get<std::uint8_t>(at + 1);
      at += 2;
      if (!position || !size || *size == 0 || *size > 16 ||
          unsigned{*position} + *size > fb.bits_per_pixel) {
        return false;
      }
      *field = {*position, *size};
    }
    return true;
  }

  void read_efi_memory_map(ByteReader tag) {
    constexpr std::uint32_t kMinDescriptorSize = 40;  // EFI_MEMORY_DESCRIPTOR, version 1
    constexpr std::size_t kMapOffset = 16;
    const auto descriptor_size = tag.get<std::uint32_t>(8);
    if (!descriptor_size || tag.size() < kMapOffset || *descriptor_size < kMinDescriptorSize) {
      return problem("EFI memory map tag with an impossible descriptor size");
    }
    info_.efi_memory_map = EfiMemoryMap{tag.bytes().subspan(kMapOffset), *descriptor_size};
  }

  template <class T>
  void read_address(ByteReader tag, std::optional<Hpa>& out) {
    const auto value = tag.get<T>(8);
    if (!value) {
      return problem("address tag too short");
    }
    out = Hpa(*value);
  }

  ByteReader reader_;
  BootInfo& info_;
  std::uint32_t type_ = 0;
  std::uint32_t offset_ = 0;
};

}  // namespace

std::optional<std::uint32_t> multiboot2_total_size(std::span<const std::byte> header) {
  const auto size = ByteReader(header).get<std::uint32_t>(0);
  if (!size || *size < kHeaderSize + kTagHeaderSize || *size > kMaxBootInformationSize) {
    return std::nullopt;
  }
  return size;
}

Status<BootProblem> parse_multiboot2(std::uint32_t magic, std::span<const std::byte> bytes,
                                     BootInfo& info) {
  if (magic != kMultiboot2Magic) {
    return Err{BootProblem{"not started by a multiboot2 boot loader", 0, 0}};
  }
  const auto total = multiboot2_total_size(bytes);
  if (!total) {
    return Err{BootProblem{"boot information of an impossible size", 0, 0}};
  }
  const auto whole = ByteReader(bytes).slice(0, *total);
  if (!whole) {
    return Err{BootProblem{"boot information is truncated", 0, 0}};
  }
  return Parser(ByteReader(*whole), info).run();
}

}  // namespace archelon::boot
