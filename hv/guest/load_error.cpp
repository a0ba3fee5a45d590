#include "hv/guest/load_error.hpp"

#include "hv/base/format.hpp"

namespace archelon::guest {
namespace {

// The pattern's arguments are LoadError's two numbers, in this order.
const char* pattern(LoadFault fault) {
  switch (fault) {
    case LoadFault::kUnknownKernel:
      return "it is neither a Linux bzImage nor a multiboot 1 or 2 kernel; name such a file";
    case LoadFault::kCompressedKernel:
      return "it is compressed by gzip; unpack it (gunzip)";
    case LoadFault::kGuestMemory:
      return "the VM has no RAM at {:#x}, which the kernel needs; give the VM more memory";
    case LoadFault::kNotEnoughMemory:
      return "it needs RAM from {:#x} to {:#x}; give the VM more memory";
    case LoadFault::kModulesDoNotFit:
      return "its modules need {} bytes of free RAM below {:#x}; give the VM more memory";
    case LoadFault::kCommandLineTooLong:
      return "the command line has {} bytes, the kernel takes {}; shorten it";
    case LoadFault::kTooManyModules:
      return "{} modules are configured, {} is the limit; remove some";
    case LoadFault::kLinuxCutOff:
      return "the bzImage is cut off: its header promises {} bytes, the file has {}; copy it again";
    case LoadFault::kLinuxTooOld:
      return "the bzImage's boot protocol {:#x} is older than 2.04; use a newer kernel";
    case LoadFault::kLinuxZImage:
      return "it is a zImage, which loads below 1 MiB; build a bzImage";
    case LoadFault::kLinuxHeaderLength:
      return "the bzImage's setup header ends at {:#x}, beyond the boot parameters; it is damaged";
    case LoadFault::kLinuxLoadAddress:
      return "the bzImage's load address {:#x} is below 1 MiB or misaligned; it is damaged";
    case LoadFault::kLinuxNoEntry:
      return "the bzImage has {} bytes of protected-mode code, fewer than its entry needs";
    case LoadFault::kElfCutOff:
      return "the ELF file is cut off: it needs {} bytes, the file has {}; copy it again";
    case LoadFault::kElfMachine:
      return "the ELF file is for machine {}, not for x86; build it for i386 or x86-64";
    case LoadFault::kElfNoSegment:
      return "the ELF file has no segment to load; link it as an executable";
    case LoadFault::kElfSegment:
      return "program header {} of the ELF file contradicts itself; link it again";
    case LoadFault::kElfOverlapsBootData:
      return "it loads at {:#x}, below {:#x} where the boot data lie; link it higher";
    case LoadFault::kEntryOutside:
      return "its entry point {:#x} lies outside of what it loads; set the entry point";
    case LoadFault::kAddressFields:
      return "the address fields of its multiboot header contradict each other or the file";
    case LoadFault::kNoLoadAddress:
      return "it is no ELF file and its multiboot header gives no load address; add the address "
             "tag";
    case LoadFault::kMultibootHeaderCutOff:
      return "its multiboot header is cut off or runs past the part that is searched";
    case LoadFault::kMultibootFeature:
      return "its multiboot header requires features {:#x} that are not known";
    case LoadFault::kMultibootVideo:
      return "its multiboot header requires a video mode, and a VM has no display; make it "
             "optional";
    case LoadFault::kMultibootArchitecture:
      return "its multiboot2 header is for architecture {}, not i386 (0)";
    case LoadFault::kMultiboot2RequiredTag:
      return "its multiboot2 header requires tag {}, which is not offered; make it optional";
    case LoadFault::kMultiboot2RequiredInfo:
      return "its multiboot2 header requires information {}, which a VM has not; make it optional";
    case LoadFault::kMultiboot2MalformedTag:
      return "tag {} of its multiboot2 header is malformed";
    case LoadFault::kMultibootRelocation:
      return "it cannot be placed between {:#x} and {:#x}, as its relocatable tag asks; give the "
             "VM "
             "more memory";
    case LoadFault::kMultibootInfoDoesNotFit:
      return "its boot information needs {} bytes, more than fit; shorten the command lines";
  }
  return "it cannot be started";
}

}  // namespace

std::string_view describe(std::span<char> out, const LoadError& error) {
  return format(out, pattern(error.fault), error.first, error.second);
}

}  // namespace archelon::guest
