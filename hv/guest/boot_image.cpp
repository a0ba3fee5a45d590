#include "hv/guest/boot_image.hpp"

#include <algorithm>

#include "hv/base/byte_reader.hpp"

namespace archelon::guest {
namespace {

constexpr std::uint64_t k4GiB = std::uint64_t{1} << 32;
constexpr std::uint32_t kElfMagic = 0x464C'457F;
constexpr std::uint16_t kMachine386 = 3;
constexpr std::uint16_t kMachineX8664 = 62;
constexpr std::uint32_t kLoadable = 1;  // PT_LOAD
constexpr std::uint16_t kMaxProgramHeaders = 128;
constexpr std::uint16_t kMaxSections = 4096;

// The fields of ELF32 and ELF64 that are needed, each read from its own layout (ELF specification,
// "ELF Header", "Program Header", "Sections").
class ElfFile {
 public:
  explicit ElfFile(std::span<const std::byte> file) : reader_(file) {
    elf64_ = reader_.get<std::uint8_t>(4) == 2;
  }

  [[nodiscard]] bool is_elf() const {
    const auto file_class = reader_.get<std::uint8_t>(4);
    return reader_.get<std::uint32_t>(0) == kElfMagic && (file_class == 1 || file_class == 2) &&
           reader_.get<std::uint8_t>(5) == 1;
  }
  [[nodiscard]] bool elf64() const { return elf64_; }
  [[nodiscard]] std::uint64_t header_size() const { return elf64_ ? 64 : 52; }
  [[nodiscard]] std::uint16_t machine() const { return get<std::uint16_t>(18, 18); }
  [[nodiscard]] std::uint64_t entry() const { return word(24, 24); }
  [[nodiscard]] std::uint64_t program_headers() const { return word(28, 32); }
  [[nodiscard]] std::uint64_t section_headers() const { return word(32, 40); }
  [[nodiscard]] std::uint16_t program_header_size() const { return get<std::uint16_t>(42, 54); }
  [[nodiscard]] std::uint16_t program_header_count() const { return get<std::uint16_t>(44, 56); }
  [[nodiscard]] std::uint16_t section_header_size() const { return get<std::uint16_t>(46, 58); }
  [[nodiscard]] std::uint16_t section_header_count() const { return get<std::uint16_t>(48, 60); }
  [[nodiscard]] std::uint16_t section_names() const { return get<std::uint16_t>(50, 62); }

  // A 16- or 32-bit field at its offset in each class; 0 past the end of the file.
  template <class T>
  [[nodiscard]] T get(std::uint64_t offset32, std::uint64_t offset64) const {
    return reader_.get<T>(elf64_ ? offset64 : offset32).value_or(T{0});
  }
  // A field of the class's own width.
  [[nodiscard]] std::uint64_t word(std::uint64_t offset32, std::uint64_t offset64) const {
    return elf64_ ? reader_.get<std::uint64_t>(offset64).value_or(0)
                  : reader_.get<std::uint32_t>(offset32).value_or(0);
  }
  [[nodiscard]] const ByteReader& reader() const { return reader_; }

 private:
  ByteReader reader_;
  bool elf64_ = false;
};

Status<LoadError> add_segments(const ElfFile& elf, BootImage& image) {
  const std::uint64_t size = elf.program_header_size();
  const std::uint64_t count = elf.program_header_count();
  const std::uint64_t start = elf.program_headers();
  if (count == 0) {
    return Err{LoadError{LoadFault::kElfNoSegment}};
  }
  if (size < (elf.elf64() ? 56U : 32U) || count > kMaxProgramHeaders) {
    return Err{LoadError{LoadFault::kElfSegment, 0, 0}};
  }
  if (!elf.reader().slice(start, size * count)) {
    return Err{LoadError{LoadFault::kElfCutOff, start + size * count, elf.reader().size()}};
  }
  const std::uint64_t entry = elf.entry();
  bool entry_found = false;
  image.entry = entry;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t at = start + i * size;
    const std::uint64_t memory_size = elf.word(at + 20, at + 40);
    if (elf.get<std::uint32_t>(at, at) != kLoadable || memory_size == 0) {
      continue;
    }
    const std::uint64_t offset = elf.word(at + 4, at + 8);
    const std::uint64_t address = elf.word(at + 12, at + 24);
    const std::uint64_t virtual_address = elf.word(at + 8, at + 16);
    const std::uint64_t file_size = elf.word(at + 16, at + 32);
    if (file_size > memory_size || address >= k4GiB || memory_size > k4GiB - address) {
      return Err{LoadError{LoadFault::kElfSegment, i, 0}};
    }
    const auto bytes = elf.reader().slice(offset, file_size);
    if (!bytes) {
      return Err{LoadError{LoadFault::kElfCutOff, offset + file_size, elf.reader().size()}};
    }
    if (!image.segments.push_back({address, *bytes, memory_size})) {
      return Err{LoadError{LoadFault::kElfSegment, i, 0}};
    }
    if (!entry_found && entry >= virtual_address && entry - virtual_address < memory_size) {
      image.entry = entry - virtual_address + address;
      entry_found = true;
    }
  }
  if (image.segments.empty()) {
    return Err{LoadError{LoadFault::kElfNoSegment}};
  }
  return Ok{};
}

std::optional<ElfSections> find_sections(const ElfFile& elf) {
  const std::uint64_t size = elf.section_header_size();
  const std::uint16_t count = elf.section_header_count();
  if (count == 0 || count > kMaxSections || size != (elf.elf64() ? 64U : 40U)) {
    return std::nullopt;
  }
  const auto table = elf.reader().slice(elf.section_headers(), size * count);
  if (!table) {
    return std::nullopt;
  }
  return ElfSections{*table, count, static_cast<std::uint32_t>(size), elf.section_names(),
                     elf.elf64()};
}

}  // namespace

ElfSection elf_section(const ElfSections& sections, std::uint32_t index) {
  const ByteReader reader(sections.table);
  const std::uint64_t at = std::uint64_t{index} * sections.entry_size;
  const auto word = [&](std::uint64_t offset32, std::uint64_t offset64) -> std::uint64_t {
    return sections.elf64 ? reader.get<std::uint64_t>(at + offset64).value_or(0)
                          : reader.get<std::uint32_t>(at + offset32).value_or(0);
  };
  return {reader.get<std::uint32_t>(at + 4).value_or(0), word(12, 16), word(16, 24), word(20, 32)};
}

std::uint64_t BootImage::low() const {
  std::uint64_t low = ~std::uint64_t{0};
  for (const ImageSegment& segment : segments) {
    low = std::min(low, segment.address);
  }
  return low;
}

std::uint64_t BootImage::high() const {
  std::uint64_t high = 0;
  for (const ImageSegment& segment : segments) {
    high = std::max(high, segment.address + segment.size);
  }
  return high;
}

bool BootImage::contains(std::uint64_t address) const {
  return std::ranges::any_of(segments, [address](const ImageSegment& segment) {
    return address >= segment.address && address - segment.address < segment.size;
  });
}

void BootImage::move_by(std::uint64_t delta) {
  for (ImageSegment& segment : segments) {
    segment.address += delta;
  }
  entry += delta;
}

Result<BootImage, LoadError> elf_image(std::span<const std::byte> file) {
  const ElfFile elf(file);
  if (!elf.is_elf()) {
    return Err{LoadError{LoadFault::kNoLoadAddress}};
  }
  if (file.size() < elf.header_size()) {
    return Err{LoadError{LoadFault::kElfCutOff, elf.header_size(), file.size()}};
  }
  if (elf.machine() != kMachine386 && elf.machine() != kMachineX8664) {
    return Err{LoadError{LoadFault::kElfMachine, elf.machine(), 0}};
  }
  BootImage image;
  if (const auto added = add_segments(elf, image); !added) {
    return Err{added.error()};
  }
  image.sections = find_sections(elf);
  return image;
}

Result<BootImage, LoadError> flat_image(std::span<const std::byte> file, std::size_t header_offset,
                                        const AddressFields& fields) {
  const LoadError contradiction{LoadFault::kAddressFields};
  if (fields.header < fields.load || fields.header - fields.load > header_offset) {
    return Err{contradiction};
  }
  const std::uint64_t offset = header_offset - (fields.header - fields.load);
  std::uint64_t size = file.size() - offset;
  if (fields.load_end != 0) {
    if (fields.load_end <= fields.load) {
      return Err{contradiction};
    }
    size = fields.load_end - fields.load;
  }
  const auto bytes = ByteReader(file).slice(offset, size);
  if (!bytes) {
    return Err{LoadError{LoadFault::kElfCutOff, offset + size, file.size()}};
  }
  std::uint64_t memory_size = size;
  if (fields.bss_end != 0) {
    if (fields.bss_end < fields.load || fields.bss_end - fields.load < size) {
      return Err{contradiction};
    }
    memory_size = fields.bss_end - fields.load;
  }
  if (memory_size > k4GiB - fields.load) {
    return Err{contradiction};
  }
  BootImage image;
  image.entry = fields.entry;
  (void)image.segments.push_back({fields.load, *bytes, memory_size});
  return image;
}

Status<LoadError> check_image(const BootImage& image, const MemoryLayout& layout) {
  for (const ImageSegment& segment : image.segments) {
    if (!layout.is_usable_ram(Gpa1{segment.address}, segment.size)) {
      return Err{
          LoadError{LoadFault::kNotEnoughMemory, segment.address, segment.address + segment.size}};
    }
  }
  if (!image.contains(image.entry)) {
    return Err{LoadError{LoadFault::kEntryOutside, image.entry, 0}};
  }
  return Ok{};
}

}  // namespace archelon::guest
