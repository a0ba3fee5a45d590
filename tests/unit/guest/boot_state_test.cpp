#include "hv/guest/boot_state.hpp"

#include <catch2/catch.hpp>

using namespace archelon;
using namespace archelon::guest;

TEST_CASE("reset starts at the reset vector with the signature in EDX") {
  const BootState state = reset_state(0x50654);
  CHECK(state.cs.base + state.rip == 0xFFFF'FFF0);
  CHECK(state.gprs[Gpr::kRdx] == 0x50654);
  CHECK(state.gprs[Gpr::kRax] == 0);
  CHECK(state.cr0 == 0x6000'0010);
  CHECK(state.rflags == 2);
  CHECK(state.dr7 == 0x400);
  CHECK(state.idtr.limit == 0xFFFF);
}

TEST_CASE("INIT keeps CR0.CD and CR0.NW and nothing else of CR0") {
  CHECK(init_state(1, 0x8005'0033).cr0 == 0x10);
  CHECK(init_state(1, 0xC005'0033).cr0 == 0x4000'0010);
  CHECK(init_state(1, 0x6000'0010).cr0 == 0x6000'0010);
}

TEST_CASE("a SIPI starts real mode at its page") {
  BootState state = init_state(1, 0x8005'0033);
  apply_startup_vector(state, 0x9A);
  CHECK(state.cs.selector == 0x9A00);
  CHECK(state.cs.base == 0x9A000);
  CHECK(state.rip == 0);
  CHECK(state.efer == 0);
}

TEST_CASE("the flat states agree with their descriptor tables") {
  const BootState protected_mode = flat_protected_state(0x1000, 0x10'0000);
  CHECK(protected_mode.cs.access_rights ==
        arch::decode_descriptor(0, kBootGdtProtected[2]).access_rights);
  CHECK(protected_mode.ds.access_rights ==
        arch::decode_descriptor(0, kBootGdtProtected[3]).access_rights);
  CHECK(protected_mode.gdtr.limit == 31);
  CHECK(protected_mode.cs == arch::decode_descriptor(0x10, kBootGdtProtected[2]));
  CHECK(protected_mode.cr0 == 0x11);
  const BootState long_mode = flat_long_state(0x1000, 0x3000, 0x100'0200);
  CHECK(long_mode.cs.access_rights == arch::decode_descriptor(0, kBootGdtLong[2]).access_rights);
  CHECK((long_mode.cs.access_rights & arch::ar::kLong) != 0);
  CHECK((long_mode.cs.access_rights & arch::ar::kDefaultBig) == 0);
  CHECK(long_mode.cr3 == 0x3000);
  CHECK(long_mode.efer == 0x500);
}
