#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace archelon::guest {

// General registers by their number in the instruction encoding.
enum class Gpr : std::uint8_t {
  kRax,
  kRcx,
  kRdx,
  kRbx,
  kRsp,
  kRbp,
  kRsi,
  kRdi,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15
};

struct Gprs {
  std::array<std::uint64_t, 16> values{};

  constexpr std::uint64_t& operator[](Gpr r) { return values[static_cast<std::size_t>(r)]; }
  constexpr const std::uint64_t& operator[](Gpr r) const {
    return values[static_cast<std::size_t>(r)];
  }
};

// A segment register with its hidden part. `access_rights` has the layout of the VMCS field (SDM
// Vol. 3C, "Guest Register State"): type 3:0, S 4, DPL 6:5, P 7, L 13, D/B 14, G 15, unusable 16.
struct SegmentState {
  std::uint16_t selector = 0;
  std::uint64_t base = 0;
  std::uint32_t limit = 0;
  std::uint32_t access_rights = 0;

  constexpr bool operator==(const SegmentState&) const = default;
};

inline constexpr std::uint32_t kSegmentL = 1U << 13;
inline constexpr std::uint32_t kSegmentDb = 1U << 14;
inline constexpr std::uint32_t kSegmentUnusable = 1U << 16;

struct DescriptorTable {
  std::uint64_t base = 0;
  std::uint32_t limit = 0;

  constexpr bool operator==(const DescriptorTable&) const = default;
};

// Everything that a vCPU starts with. Control registers hold the values that the guest is to see;
// what VMX fixes in them is for the vCPU to add.
struct BootState {
  Gprs gprs;
  std::uint64_t rip = 0;
  std::uint64_t rflags = 0x2;
  std::uint64_t cr0 = 0;
  std::uint64_t cr2 = 0;
  std::uint64_t cr3 = 0;
  std::uint64_t cr4 = 0;
  std::uint64_t efer = 0;
  std::uint64_t dr6 = 0xFFFF'0FF0;
  std::uint64_t dr7 = 0x400;
  SegmentState cs, ss, ds, es, fs, gs, ldtr, tr;
  DescriptorTable gdtr, idtr;
};

inline constexpr std::uint64_t kCr0Pe = 1U << 0;
inline constexpr std::uint64_t kCr0Et = 1U << 4;
inline constexpr std::uint64_t kCr0Nw = 1U << 29;
inline constexpr std::uint64_t kCr0Cd = 1U << 30;
inline constexpr std::uint64_t kCr0Pg = 1U << 31;
inline constexpr std::uint64_t kCr4Pae = 1U << 5;
inline constexpr std::uint64_t kEferLme = 1U << 8;
inline constexpr std::uint64_t kEferLma = 1U << 10;

// State after power-up or RESET (SDM Vol. 3A, "Processor State After Reset", table of IA-32
// processor states); EDX carries the signature, CPUID.01H:EAX.
[[nodiscard]] constexpr BootState reset_state(std::uint32_t cpuid_signature) {
  constexpr SegmentState kData{0, 0, 0xFFFF, 0x93};
  BootState state;
  state.gprs[Gpr::kRdx] = cpuid_signature;
  state.rip = 0xFFF0;
  state.cr0 = kCr0Cd | kCr0Nw | kCr0Et;
  state.cs = {0xF000, 0xFFFF'0000, 0xFFFF, 0x9B};
  state.ss = state.ds = state.es = state.fs = state.gs = kData;
  state.ldtr = {0, 0, 0xFFFF, 0x82};
  state.tr = {0, 0, 0xFFFF, 0x8B};
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
  state.cr0 = kCr0Et | (cr0_before & (kCr0Cd | kCr0Nw));
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
  constexpr SegmentState kData{kBootDataSelector, 0, 0xFFFF'FFFF, 0xC093};
  BootState state;
  state.rip = entry;
  state.cr0 = kCr0Pe | kCr0Et;
  state.cs = {kBootCodeSelector, 0, 0xFFFF'FFFF, 0xC09B};
  state.ss = state.ds = state.es = state.fs = state.gs = kData;
  state.ldtr = {0, 0, 0, kSegmentUnusable};
  state.tr = {0, 0, 0x67, 0x8B};
  state.gdtr = {gdt, sizeof(kBootGdtProtected) - 1};
  return state;
}

// 64-bit mode on the page tables at `page_tables`, interrupts off: Linux's 64-bit boot protocol.
// `gdt` is the guest-physical address of a copy of kBootGdtLong.
[[nodiscard]] constexpr BootState flat_long_state(std::uint64_t gdt, std::uint64_t page_tables,
                                                  std::uint64_t entry) {
  BootState state = flat_protected_state(gdt, entry);
  state.cr0 |= kCr0Pg;
  state.cr3 = page_tables;
  state.cr4 = kCr4Pae;
  state.efer = kEferLme | kEferLma;
  state.cs.access_rights = 0xA09B;
  return state;
}

}  // namespace archelon::guest
