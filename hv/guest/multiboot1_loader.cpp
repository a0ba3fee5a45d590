#include "hv/guest/multiboot1_loader.hpp"

#include "hv/base/byte_reader.hpp"

namespace archelon::guest {
namespace {

// Header flags. Of bits 15:0 each is a requirement: what is not known refuses the kernel.
constexpr std::uint32_t kAlignModules = 1U << 0;  // they always are
constexpr std::uint32_t kMemoryInfo = 1U << 1;    // it is always given
constexpr std::uint32_t kVideoMode = 1U << 2;
constexpr std::uint32_t kRequirements = 0xFFFF;
constexpr std::uint32_t kAddressFieldsValid = 1U << 16;

}  // namespace

Result<BootImage, LoadError> plan_multiboot1(std::span<const std::byte> file) {
  const auto offset = find_multiboot1_header(file);
  if (!offset) {
    return Err{LoadError{LoadFault::kUnknownKernel}};
  }
  const ByteReader reader(file);
  const auto flags = reader.get<std::uint32_t>(*offset + 4);
  if ((*flags & kVideoMode) != 0) {
    return Err{LoadError{LoadFault::kMultibootVideo}};
  }
  const std::uint32_t unknown = *flags & kRequirements & ~(kAlignModules | kMemoryInfo);
  if (unknown != 0) {
    return Err{LoadError{LoadFault::kMultibootFeature, unknown, 0}};
  }
  if ((*flags & kAddressFieldsValid) == 0) {
    return elf_image(file);
  }
  const auto fields = reader.get<AddressFields>(*offset + 12);
  if (!fields) {
    return Err{LoadError{LoadFault::kMultibootHeaderCutOff}};
  }
  return flat_image(file, *offset, *fields);
}

}  // namespace archelon::guest
