#include "hv/shell/vmcs_report.hpp"

#include <string_view>

#include "hv/shell/field_decode.hpp"
#include "vmx/field_groups.hpp"

namespace archelon::shell {
namespace {

struct Section {
  vmx::GroupMask groups;
  std::string_view title;
};
constexpr Section kSections[] = {
    {vmx::masks_of(vmx::FieldGroup::kControls, vmx::FieldGroup::kCrMasks, vmx::FieldGroup::kBitmaps,
                   vmx::FieldGroup::kEptVpid),
     "controls"},
    {vmx::masks_of(vmx::FieldGroup::kEvents), "event injection"},
    {vmx::kGuestGroups, "guest state"},
    {vmx::masks_of(vmx::FieldGroup::kHostState), "host state"},
    {vmx::masks_of(vmx::FieldGroup::kExitInfo), "exit information"},
};
static_assert([] {
  vmx::GroupMask all = 0;
  for (const Section& section : kSections) {
    all |= section.groups;
  }
  return all == vmx::kAllGroups;
}());

void print_field(std::size_t position, std::uint64_t value, const Output& out) {
  const vmx::FieldName& field = vmx::kFieldNames[position];
  switch (vmx::field_width(field.encoding)) {
    case vmx::FieldWidth::k16:
      out.line("  {:38} {:#06x}", field.name, value);
      break;
    case vmx::FieldWidth::k32:
      out.line("  {:38} {:#010x}", field.name, value);
      break;
    case vmx::FieldWidth::k64:
    case vmx::FieldWidth::kNatural:
      out.line("  {:38} {:#018x}", field.name, value);
      break;
  }
  WordList words(out);
  decode_field(field.encoding, value, words);
  words.finish();
}

}  // namespace

void print_vmcs(const VmcsSnapshot& vmcs, const Output& out) {
  for (const Section& section : kSections) {
    out.line("{}:", section.title);
    vmcs.present.for_each([&](std::size_t position) {
      if ((section.groups & vmx::mask_of(vmx::field_group(position))) != 0) {
        print_field(position, vmcs.values[position], out);
      }
    });
  }
}

}  // namespace archelon::shell
