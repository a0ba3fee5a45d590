#include "hv/guest/linux_loader.hpp"

#include <algorithm>

#include "hv/base/bits.hpp"
#include "hv/base/byte_reader.hpp"

namespace archelon::guest {
namespace {

// Offsets in the file of the setup header's fields (boot.rst, "The Real-Mode Kernel Header").
constexpr std::size_t kSetupSectors = 0x1F1;
constexpr std::size_t kSysSize = 0x1F4;
constexpr std::size_t kBootFlag = 0x1FE;
constexpr std::size_t kJumpDistance = 0x201;
constexpr std::size_t kMagic = 0x202;
constexpr std::size_t kVersion = 0x206;
constexpr std::size_t kLoadFlags = 0x211;
constexpr std::size_t kInitrdAddressMax = 0x22C;
constexpr std::size_t kAlignment = 0x230;
constexpr std::size_t kRelocatable = 0x234;
constexpr std::size_t kXLoadFlags = 0x236;
constexpr std::size_t kCommandLineSize = 0x238;
constexpr std::size_t kPreferredAddress = 0x258;
constexpr std::size_t kInitSize = 0x260;
constexpr std::size_t kHeaderMax = 0x290;  // boot_params has no more room for it

constexpr std::uint32_t kMagicValue = 0x5372'6448;  // "HdrS"
constexpr std::uint8_t kLoadedHigh = 1 << 0;
constexpr std::uint16_t kXlfKernel64 = 1 << 0;

// The header as far as the file has it; what an older protocol has not reads as 0.
class Header {
 public:
  Header(std::span<const std::byte> header) : reader_(header) {}  // NOLINT(*-explicit-*)
  template <class T>
  [[nodiscard]] T get(std::size_t offset) const {
    return reader_.get<T>(offset).value_or(T{0});
  }

 private:
  ByteReader reader_;
};

Status<LoadError> place_initrd(LinuxPlan& plan, const BootRequest& request,
                               std::uint64_t address_max) {
  for (const BootModule& module : request.modules) {
    plan.initrd_size += detail::padded(module.bytes.size());
  }
  if (plan.initrd_size == 0) {
    return Ok{};
  }
  const std::uint64_t top = std::min(address_max + 1, request.layout.low_ram_end().value());
  const std::uint64_t bottom = align_up(plan.end.value(), kPageSize);
  const std::uint64_t at =
      plan.initrd_size <= top ? align_down(top - plan.initrd_size, kPageSize) : 0;
  if (at < bottom) {
    return Err{LoadError{LoadFault::kModulesDoNotFit, plan.initrd_size, top}};
  }
  plan.initrd = Gpa1{at};
  return Ok{};
}

Status<LoadError> place_kernel(LinuxPlan& plan, const Header& header, const BootRequest& request) {
  std::uint64_t load = kMiB;
  std::uint64_t needed = plan.code.size();
  if (plan.version >= 0x20A) {
    load = header.get<std::uint64_t>(kPreferredAddress);
    needed = std::max<std::uint64_t>(needed, header.get<std::uint32_t>(kInitSize));
    // A relocatable kernel that lies lower moves itself up to its preferred address, so that a
    // lower place would need the same memory and is not tried.
    const std::uint32_t alignment = header.get<std::uint32_t>(kAlignment);
    const bool relocatable = header.get<std::uint8_t>(kRelocatable) != 0;
    if (load < kMiB || (relocatable && (alignment == 0 || load % alignment != 0))) {
      return Err{LoadError{LoadFault::kLinuxLoadAddress, load, 0}};
    }
  }
  // Both protocols give code32_start and the entry as 32-bit addresses.
  if (load >= kHighRam.value() || !request.layout.is_usable_ram(Gpa1{load}, needed)) {
    return Err{LoadError{LoadFault::kNotEnoughMemory, load, load + needed}};
  }
  plan.load = Gpa1{load};
  plan.end = Gpa1{load + needed};
  return Ok{};
}

}  // namespace

Result<LinuxPlan, LoadError> plan_linux(const BootRequest& request) {
  const ByteReader file(request.kernel);
  const auto boot_flag = file.get<std::uint16_t>(kBootFlag);
  if (boot_flag != 0xAA55 || file.get<std::uint32_t>(kMagic) != kMagicValue) {
    return Err{LoadError{LoadFault::kUnknownKernel}};
  }
  // The distance of the short jump over the header tells the header's end.
  const std::size_t header_end = kMagic + file.get<std::uint8_t>(kJumpDistance).value_or(0);
  if (header_end > kHeaderMax) {
    return Err{LoadError{LoadFault::kLinuxHeaderLength, header_end, 0}};
  }
  const auto header_bytes = file.slice(0, header_end);
  if (!header_bytes) {
    return Err{LoadError{LoadFault::kLinuxCutOff, header_end, file.size()}};
  }
  const Header header(*header_bytes);

  LinuxPlan plan;
  plan.version = header.get<std::uint16_t>(kVersion);
  if (plan.version < 0x204) {
    return Err{LoadError{LoadFault::kLinuxTooOld, plan.version, 0}};
  }
  if ((header.get<std::uint8_t>(kLoadFlags) & kLoadedHigh) == 0) {
    return Err{LoadError{LoadFault::kLinuxZImage}};
  }
  plan.entry64 =
      plan.version >= 0x20C && (header.get<std::uint16_t>(kXLoadFlags) & kXlfKernel64) != 0;
  plan.header = header_bytes->subspan(kSetupSectors);

  const std::uint8_t sectors = header.get<std::uint8_t>(kSetupSectors);
  const std::uint64_t setup_size =
      (std::uint64_t{sectors == 0 ? std::uint8_t{4} : sectors} + 1) * 512;
  const std::uint64_t code_size = std::uint64_t{header.get<std::uint32_t>(kSysSize)} * 16;
  // syssize is rounded up to 16 bytes; the file need not be padded, and may carry a signature.
  if (request.kernel.size() < setup_size || request.kernel.size() - setup_size + 15 < code_size) {
    return Err{LoadError{LoadFault::kLinuxCutOff, setup_size + code_size, request.kernel.size()}};
  }
  plan.code = request.kernel.subspan(setup_size);
  plan.code = plan.code.first(std::min<std::uint64_t>(plan.code.size(), code_size));
  if (plan.code.size() <= (plan.entry64 ? 0x200U : 0U)) {
    return Err{LoadError{LoadFault::kLinuxNoEntry, plan.code.size(), 0}};
  }

  const std::uint64_t command_line_max = std::min<std::uint64_t>(
      plan.version >= 0x206 ? header.get<std::uint32_t>(kCommandLineSize) : 255,
      kLinuxCommandLineArea - 1);
  if (request.command_line.size() > command_line_max) {
    return Err{
        LoadError{LoadFault::kCommandLineTooLong, request.command_line.size(), command_line_max}};
  }
  if (request.modules.size() > kMaxBootModules) {
    return Err{LoadError{LoadFault::kTooManyModules, request.modules.size(), kMaxBootModules}};
  }
  if (const auto placed = place_kernel(plan, header, request); !placed) {
    return Err{placed.error()};
  }
  if (const auto placed = place_initrd(plan, request, header.get<std::uint32_t>(kInitrdAddressMax));
      !placed) {
    return Err{placed.error()};
  }
  return plan;
}

}  // namespace archelon::guest
