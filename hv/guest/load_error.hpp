#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace archelon::guest {

// Why a kernel cannot be started; load_error.cpp has the words.
enum class LoadFault : std::uint8_t {
  kUnknownKernel,
  kCompressedKernel,
  kGuestMemory,      // address
  kNotEnoughMemory,  // start, end of what the kernel needs
  kModulesDoNotFit,  // bytes needed, limit of address
  kCommandLineTooLong,
  kTooManyModules,

  kLinuxCutOff,  // bytes promised, bytes there
  kLinuxTooOld,  // protocol version
  kLinuxZImage,
  kLinuxHeaderLength,
  kLinuxLoadAddress,  // address
  kLinuxNoEntry,

  kElfCutOff,
  kElfMachine,
  kElfNoSegment,
  kElfSegment,  // number of the program header
  kElfOverlapsBootData,
  kEntryOutside,  // address
  kAddressFields,
  kNoLoadAddress,
  kMultibootHeaderCutOff,
  kMultibootFeature,         // flag bits
  kMultibootVideo,           // none is offered
  kMultibootArchitecture,    // number
  kMultiboot2RequiredTag,    // tag type
  kMultiboot2RequiredInfo,   // type of the requested tag
  kMultiboot2MalformedTag,   // tag type
  kMultibootRelocation,      // lowest and highest address
  kMultibootInfoDoesNotFit,  // bytes
};

struct LoadError {
  LoadFault fault = LoadFault::kUnknownKernel;
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

// One line, without the kernel's name: what is wrong, and what to do about it. Cut at out's end.
std::string_view describe(std::span<char> out, const LoadError& error);

}  // namespace archelon::guest
