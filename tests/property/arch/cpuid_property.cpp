#include <catch2/catch.hpp>
#include <random>

#include "hv/arch/cpuid_features.hpp"
#include "hv/arch/cpuid_policy.hpp"
#include "hv/arch/cr.hpp"

using namespace archelon;
using namespace archelon::arch;

TEST_CASE("Whatever the hardware says, L1 sees no flag that is hidden") {
  std::mt19937_64 random(4);
  for (int round = 0; round < 300; ++round) {
    const auto word = [&] { return static_cast<std::uint32_t>(random()); };
    const std::uint32_t highest = word() % 48;
    const auto hardware = [&](std::uint32_t leaf, std::uint32_t) {
      return CpuidResult{leaf == 0 ? highest : word(), word(), word(), word()};
    };
    CpuidTable table;
    table.build(hardware, {.cpus = 1 + word() % 64, .tsc_hz = random() >> (word() % 64)});
    const CpuidState state{.apic_id = word() % 256,
                           .cr4 = random(),
                           .xcr0 = random(),
                           .xss = random(),
                           .apic_enabled = true,
                           .in_64bit_mode = true};
    for (const CpuidFeature& f : cpuid_features()) {
      const CpuidResult r = table.read(f.leaf, f.subleaf, state);
      const std::uint32_t words[] = {r.eax, r.ebx, r.ecx, r.edx};
      const bool set = (words[static_cast<int>(f.reg)] >> f.bit & 1) != 0;
      if (f.policy == FeaturePolicy::kHide && f.leaf <= table.read(0, 0, state).eax) {
        REQUIRE_FALSE(set);
      }
    }
    REQUIRE((table.cr4() & (cr4::kLa57 | cr4::kCet | cr4::kPks | cr4::kSmxe)) == 0);
    for (int i = 0; i < 200; ++i) {
      const std::uint32_t base = word() % 3 == 0 ? 0x80000000 : word() % 2 == 0 ? 0x40000000 : 0;
      static_cast<void>(table.read(base + word() % 64, word() % 70, state));
      static_cast<void>(table.read(word(), word(), state));
    }
  }
}
