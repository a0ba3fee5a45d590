#pragma once

#include <array>
#include <cstdint>

#include "hv/arch/cr.hpp"
#include "hv/arch/registers.hpp"
#include "hv/arch/segment.hpp"

namespace archelon::guest {

using arch::Gpr;
using arch::Gprs;

// Everything that a vCPU starts with. Control registers hold the values that the guest is to see;
// what VMX fixes in them is for the vCPU to add.
struct BootState {
  Gprs gprs;
  std::uint64_t rip = 0;
  std::uint64_t rflags = arch::rflags::kFixed1;
  std::uint64_t cr0 = 0;
  std::uint64_t cr2 = 0;
  std::uint64_t cr3 = 0;
  std::uint64_t cr4 = 0;
  std::uint64_t efer = 0;
  std::uint64_t dr6 = arch::dr6::kReset;
  std::uint64_t dr7 = arch::dr7::kReset;
  arch::SegmentRegister cs, ss, ds, es, fs, gs, ldtr, tr;
  arch::DescriptorTable gdtr, idtr;
};

// State after power-up or RESET (SDM Vol. 3A, "Processor State After Reset", table of IA-32
// processor states); EDX carries the signature, CPUID.01H:EAX.
[[nodiscard]] constexpr BootState reset_state(std::uint32_t cpuid_signature) {
  constexpr arch::SegmentRegister kData{0, arch::ar::kRealData, 0xFFFF, 0};
  BootState state;
  state.gprs[Gpr::kRdx] = cpuid_signature;
  state.rip = 0xFFF0;
  state.cr0 = arch::cr0::kReset;
  state.cs = {0xF000, arch::ar::kRealCode, 0xFFFF, 0xFFFF'0000};
  state.ss = state.ds = state.es = state.fs = state.gs = kData;
  state.ldtr = {0, arch::ar::kPresent | arch::ar::kTypeLdt, 0xFFFF, 0};
  state.tr = {0, arch::ar::kPresent | arch::ar::kTypeBusyTss, 0xFFFF, 0};
  state.gdtr = state.idtr = {0, 0xFFFF};
  return state;
}

// State after INIT: that of RESET, but CR0.CD and CR0.NW stay as they were (`cr0_before`). MSRs
// other than EFER, the TSC, the x87/SSE/AVX registers, XCR0 and the caches keep their values: they
// are not part of this state, the vCPU leaves them alone. The vCPU then waits for a SIPI, or, if it
// is the boot CPU, runs from this state.
[[nodiscard]] constexpr BootState init_state(std::uint32_t cpuid_signature,
                                             std::uint64_t cr0_before) {
  BootState state = reset_state(cpuid_signature);
  state.cr0 = arch::cr0::kEt | (cr0_before & (arch::cr0::kCd | arch::cr0::kNw));
  return state;
}

// Turns the state of a CPU that waits for a SIPI into the one that it starts with: real mode at
// VV00:0000 (SDM Vol. 3A, "Multiple-Processor (MP) Initialization").
constexpr void apply_startup_vector(BootState& state, std::uint8_t vector) {
  state.cs.selector = static_cast<std::uint16_t>(vector << 8);
  state.cs.base = std::uint64_t{vector} << 12;
  state.rip = 0;
}

// The descriptor table that flat_protected_state and flat_long_state describe, for guest memory:
// Linux's boot protocol fixes the selectors 0x10 (code) and 0x18 (data).
inline constexpr std::uint16_t kBootCodeSelector = 0x10;
inline constexpr std::uint16_t kBootDataSelector = 0x18;
inline constexpr std::array<std::uint64_t, 4> kBootGdtProtected = {0, 0, 0x00CF'9B00'0000'FFFF,
                                                                   0x00CF'9300'0000'FFFF};
inline constexpr std::array<std::uint64_t, 4> kBootGdtLong = {0, 0, 0x00AF'9B00'0000'FFFF,
                                                              0x00CF'9300'0000'FFFF};

// 32-bit protected mode, flat 4 GiB segments, paging and interrupts off: what Linux's 32-bit boot
// protocol and both multiboot protocols prescribe. `gdt` is the guest-physical address of a copy of
// kBootGdtProtected.
[[nodiscard]] constexpr BootState flat_protected_state(std::uint64_t gdt, std::uint64_t entry) {
  constexpr arch::SegmentRegister kData{kBootDataSelector, arch::ar::kFlatData, 0xFFFF'FFFF, 0};
  BootState state;
  state.rip = entry;
  state.cr0 = arch::cr0::kPe | arch::cr0::kEt;
  state.cs = {kBootCodeSelector, arch::ar::kFlatCode32, 0xFFFF'FFFF, 0};
  state.ss = state.ds = state.es = state.fs = state.gs = kData;
  state.tr = {0, arch::ar::kPresent | arch::ar::kTypeBusyTss, 0x67, 0};
  state.gdtr = {gdt, sizeof(kBootGdtProtected) - 1};
  return state;
}

// 64-bit mode on the page tables at `page_tables`, interrupts off: Linux's 64-bit boot protocol.
// `gdt` is the guest-physical address of a copy of kBootGdtLong.
[[nodiscard]] constexpr BootState flat_long_state(std::uint64_t gdt, std::uint64_t page_tables,
                                                  std::uint64_t entry) {
  BootState state = flat_protected_state(gdt, entry);
  state.cr0 |= arch::cr0::kPg;
  state.cr3 = page_tables;
  state.cr4 = arch::cr4::kPae;
  state.efer = arch::efer::kLme | arch::efer::kLma;
  state.cs.access_rights = arch::ar::kFlatCode64;
  return state;
}

}  // namespace archelon::guest
