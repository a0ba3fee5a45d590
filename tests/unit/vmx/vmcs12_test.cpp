#include "vmx/vmcs12.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <vector>

#include "tests/support/fake_memory.hpp"
#include "tests/support/fake_vmcs.hpp"
#include "vmx/vmcs12_cache.hpp"

using namespace archelon;
using namespace archelon::vmx;
using namespace archelon::vmx::fields;

namespace {

using Memory = test::FakeMemory<Gpa1>;
constexpr Gpa1 kRegion{0x5000};

Memory memory_with(std::initializer_list<Gpa1> regions) {
  Memory memory;
  for (const Gpa1 region : regions) {
    memory.add(region, kPageSize);
  }
  return memory;
}

}  // namespace

TEST_CASE("every field has one group, and a group knows its members") {
  FieldSet all;
  std::size_t count = 0;
  for (std::size_t g = 0; g < kFieldGroupCount; ++g) {
    const FieldSet& members = fields_of(static_cast<FieldGroup>(g));
    CHECK((all & members).empty());
    all |= members;
    members.for_each([&](std::size_t p) {
      ++count;
      CHECK(field_group(p) == static_cast<FieldGroup>(g));
    });
  }
  CHECK(all == kAllFields);
  CHECK(count == kFieldCount);
  CHECK(field_group(position_of(kGuestTrAccessRights)) == FieldGroup::kGuestSegments);
  CHECK(field_group(position_of(kGuestIdtrBase)) == FieldGroup::kGuestSegments);
  CHECK(field_group(position_of(kGuestDr7)) == FieldGroup::kGuestCrs);
  CHECK(field_group(position_of(kGuestSysenterEip)) == FieldGroup::kGuestMsrs);
  CHECK(field_group(position_of(kEntryInterruptionInfo)) == FieldGroup::kEvents);
  CHECK(field_group(position_of(kMsrBitmaps)) == FieldGroup::kBitmaps);
  CHECK(field_group(position_of(kCr4ReadShadow)) == FieldGroup::kCrMasks);
  CHECK(field_group(position_of(kExitQualification)) == FieldGroup::kExitInfo);
}

TEST_CASE("fields keep their width, whatever is written") {
  Vmcs12 vmcs;
  vmcs.write_access(position_of(kGuestCsSelector), false, 0x12345678);
  CHECK(vmcs.read(kGuestCsSelector) == 0x5678);
  vmcs.write_access(position_of(kGuestCsLimit), false, 0x1'2345'6789);
  CHECK(vmcs.read(kGuestCsLimit) == 0x23456789u);
  vmcs.write(kGuestRip, 0xffffffff81000000);
  CHECK(vmcs.read_access(position_of(kGuestRip), false) == 0xffffffff81000000u);
}

TEST_CASE("the high access type reaches bits 63:32 alone") {
  Vmcs12 vmcs;
  const std::size_t eptp = position_of(kEptPointer);
  vmcs.write(kEptPointer, 0x1111'2222'3333'4444);
  vmcs.write_access(eptp, true, 0xaaaa'bbbb'cccc'dddd);
  CHECK(vmcs.read(kEptPointer) == 0xcccc'dddd'3333'4444u);
  CHECK(vmcs.read_access(eptp, true) == 0xccccddddu);
  vmcs.write_access(eptp, false, 5);
  CHECK(vmcs.read(kEptPointer) == 5u);
}

TEST_CASE("dirty fields are those written since the last entry") {
  Vmcs12 vmcs;
  CHECK(vmcs.dirty() == kAllFields);
  CHECK(vmcs.is_dirty(mask_of(FieldGroup::kHostState)));
  vmcs.clean();
  CHECK(vmcs.dirty().empty());
  vmcs.write(kGuestRip, 1);
  vmcs.write(kTscOffset, 1);
  CHECK(vmcs.dirty_groups() == masks_of(FieldGroup::kGuestHot, FieldGroup::kControls));
  std::vector<std::size_t> dirty;
  vmcs.dirty().for_each([&](std::size_t p) { dirty.push_back(p); });
  CHECK(dirty == std::vector<std::size_t>{position_of(kTscOffset), position_of(kGuestRip)});
}

TEST_CASE("what lives in VMCS02 is clean until L1 writes it") {
  Vmcs12 vmcs;
  vmcs.clean();
  const FieldSet saved = fields_saved_on_exit(exit_controls::kSaveEfer);
  vmcs.write(kGuestCr3, 0x1000);
  vmcs.leave_in_vmcs02(saved);
  CHECK(vmcs.is_in_vmcs02(position_of(kGuestCr3)));
  CHECK(vmcs.is_in_vmcs02(position_of(kGuestEfer)));
  CHECK_FALSE(vmcs.is_in_vmcs02(position_of(kGuestPat)));  // the exit does not save it
  CHECK_FALSE(vmcs.is_in_vmcs02(position_of(kGuestDr7)));  // nor the debug controls
  CHECK_FALSE(vmcs.is_in_vmcs02(position_of(kVmcsLinkPointer)));
  CHECK((vmcs.dirty() & vmcs.in_vmcs02()).empty());

  vmcs.write(kGuestRip, 2);
  CHECK_FALSE(vmcs.is_in_vmcs02(position_of(kGuestRip)));
  CHECK(vmcs.dirty().has(position_of(kGuestRip)));

  vmcs.fetched(position_of(kGuestCr3), 0x2000);
  CHECK(vmcs.read(kGuestCr3) == 0x2000u);
  CHECK_FALSE(vmcs.dirty().has(position_of(kGuestCr3)));  // VMCS02 has the same
}

TEST_CASE("debug controls are saved together or not at all") {
  const FieldSet with = fields_saved_on_exit(exit_controls::kSaveDebugControls);
  CHECK(with.has(position_of(kGuestDebugCtl)));
  CHECK(with.has(position_of(kGuestDr7)));
  CHECK(fields_saved_on_exit(exit_controls::kSavePreemptionTimer)
            .has(position_of(kPreemptionTimerValue)));
  CHECK_FALSE(with.has(position_of(kPreemptionTimerValue)));
}

TEST_CASE("a VMCS12 goes to L1's memory and comes back") {
  Memory memory = memory_with({kRegion});
  memory.poke(kRegion, kVmcs12Revision);
  Vmcs12 vmcs;
  vmcs.reset(kRegion);
  vmcs.write(kGuestRip, 0x1234);
  vmcs.write(kEptPointer, 0xabcdef);
  vmcs.set_launch_state(LaunchState::kLaunched);
  REQUIRE(vmcs.store(memory));
  CHECK(memory.peek(kRegion) == kVmcs12Revision);  // revision and abort word: not ours to touch

  Vmcs12 back;
  back.load(memory, kRegion);
  CHECK(back.read(kGuestRip) == 0x1234u);
  CHECK(back.read(kEptPointer) == 0xabcdefu);
  CHECK(back.launch_state() == LaunchState::kLaunched);
  CHECK(back.dirty() == kAllFields);
}

TEST_CASE("hostile regions load as valid VMCS12s") {
  Memory memory = memory_with({kRegion});
  std::mt19937 random(7);
  for (std::byte& b : memory.pages()[kRegion.value()]) {
    b = static_cast<std::byte>(random());
  }
  Vmcs12 vmcs;
  vmcs.write(kGuestRip, 1);
  vmcs.load(memory, kRegion);
  CHECK(vmcs.launch_state() == LaunchState::kClear);
  CHECK(vmcs.read(kGuestRip) == 0u);
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    REQUIRE(vmcs.read_at(i) == 0u);
  }

  // With our magic in place the values count, but cut to their widths.
  memory.poke(kRegion + vmcs_region::kImageOffset, Vmcs12Image::kMagic);
  vmcs.load(memory, kRegion);
  CHECK(vmcs.launch_state() == LaunchState::kClear);  // any word but 1
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    REQUIRE(vmcs.read_at(i) == cut_to_width(kFieldNames[i].encoding, vmcs.read_at(i)));
  }

  vmcs.load(memory, Gpa1{0xdead000});  // not RAM
  CHECK(vmcs.read_at(position_of(kGuestRip)) == 0u);
  CHECK_FALSE(vmcs.store(memory));
}

TEST_CASE("the cache keeps active VMCS12s and gives back the oldest") {
  const Gpa1 a{0x1000};
  const Gpa1 b{0x2000};
  const Gpa1 c{0x3000};
  Memory memory = memory_with({a, b, c});
  auto cache = std::make_unique<Vmcs12Cache<2>>();
  std::vector<Gpa1> released;
  const auto release = [&](Vmcs12& item) { released.push_back(item.region()); };

  cache->load(memory, a, release).write(kGuestRip, 0xa);
  cache->load(memory, b, release).write(kGuestRip, 0xb);
  cache->load(memory, a, release).set_launch_state(LaunchState::kLaunched);
  CHECK(released.empty());
  const Vmcs12& third = cache->load(memory, c, release);
  CHECK(released == std::vector<Gpa1>{b});
  CHECK(cache->find(b) == nullptr);
  CHECK(cache->slot_of(third) != cache->slot_of(*cache->find(a)));

  CHECK(cache->load(memory, b, release).read(kGuestRip) == 0xbu);  // evicted a
  const Vmcs12& again = cache->load(memory, a, release);
  CHECK(again.read(kGuestRip) == 0xau);
  CHECK(again.launch_state() == LaunchState::kLaunched);

  cache->clear(memory, a, release);
  CHECK(cache->find(a) == nullptr);
  CHECK(cache->load(memory, a, release).launch_state() == LaunchState::kClear);
}

TEST_CASE("a reset leaves L1's memory without what the cache held") {
  const Gpa1 a{0x1000};
  Memory memory = memory_with({a});
  const auto release = [](Vmcs12&) {};
  auto cache = std::make_unique<Vmcs12Cache<2>>();
  cache->load(memory, a, release).write(kGuestRip, 0x77);
  cache->drop_all();
  CHECK(cache->find(a) == nullptr);
  CHECK(cache->load(memory, a, release).read(kGuestRip) == 0u);
}

TEST_CASE("VMCLEAR reaches a VMCS12 that is only in memory") {
  const Gpa1 a{0x1000};
  Memory memory = memory_with({a});
  const auto release = [](Vmcs12&) {};
  auto other_cpu = std::make_unique<Vmcs12Cache<2>>();
  Vmcs12& item = other_cpu->load(memory, a, release);
  item.set_launch_state(LaunchState::kLaunched);
  item.write(kGuestRip, 0x77);
  other_cpu->give_back_all(memory, release);

  auto cache = std::make_unique<Vmcs12Cache<2>>();
  cache->clear(memory, a, release);
  const Vmcs12& loaded = cache->load(memory, a, release);
  CHECK(loaded.launch_state() == LaunchState::kClear);
  CHECK(loaded.read(kGuestRip) == 0x77u);
  cache->clear(memory, Gpa1{0xdead000}, release);  // not RAM: nothing happens
}

TEST_CASE("segments through a VMCS view") {
  test::FakeVmcs fake;
  const arch::SegmentRegister cs{
      .selector = 8, .access_rights = arch::ar::kFlatCode64, .limit = 0xffffffff, .base = 0x10};
  write_guest_segment(fake, arch::Segment::kCs, cs);
  CHECK(fake.values.at(0x4816) == arch::ar::kFlatCode64);
  CHECK(read_guest_segment(fake, arch::Segment::kCs) == cs);
}
