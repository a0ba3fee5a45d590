// The instructions that guests use.
#pragma once

#include <cstdint>

namespace guest {

inline void outb(std::uint16_t port, std::uint8_t value) {
  asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
inline void outw(std::uint16_t port, std::uint16_t value) {
  asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
inline void outl(std::uint16_t port, std::uint32_t value) {
  asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
inline std::uint8_t inb(std::uint16_t port) {
  std::uint8_t value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
inline std::uint16_t inw(std::uint16_t port) {
  std::uint16_t value;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
inline std::uint32_t inl(std::uint16_t port) {
  std::uint32_t value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}

inline std::uint64_t rdmsr(std::uint32_t index) {
  std::uint32_t low;
  std::uint32_t high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
  return (std::uint64_t{high} << 32) | low;
}
inline void wrmsr(std::uint32_t index, std::uint64_t value) {
  asm volatile("wrmsr"
               :
               : "a"(static_cast<std::uint32_t>(value)),
                 "d"(static_cast<std::uint32_t>(value >> 32)), "c"(index)
               : "memory");
}

struct CpuidResult {
  std::uint32_t eax, ebx, ecx, edx;
};
inline CpuidResult cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
  CpuidResult r;
  asm volatile("cpuid"
               : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
               : "a"(leaf), "c"(subleaf));
  return r;
}

inline std::uint64_t rdtsc() {
  std::uint32_t low;
  std::uint32_t high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (std::uint64_t{high} << 32) | low;
}

#define GUEST_CONTROL_REGISTER(name)                            \
  inline std::uint64_t read_##name() {                          \
    std::uint64_t value;                                        \
    asm volatile("mov %%" #name ", %0" : "=r"(value));          \
    return value;                                               \
  }                                                             \
  inline void write_##name(std::uint64_t value) {               \
    asm volatile("mov %0, %%" #name : : "r"(value) : "memory"); \
  }
GUEST_CONTROL_REGISTER(cr0)
GUEST_CONTROL_REGISTER(cr2)
GUEST_CONTROL_REGISTER(cr3)
GUEST_CONTROL_REGISTER(cr4)
#undef GUEST_CONTROL_REGISTER

inline void cli() {
  asm volatile("cli" : : : "memory");
}
inline void sti() {
  asm volatile("sti" : : : "memory");
}
inline void hlt() {
  asm volatile("hlt" : : : "memory");
}
inline void pause() {
  asm volatile("pause" : : : "memory");
}
inline void invlpg(std::uint64_t gva) {
  asm volatile("invlpg (%0)" : : "r"(gva) : "memory");
}
inline void sti_hlt_cli() {
  asm volatile("sti; hlt; cli" : : : "memory");
}

template <typename T>
T volatile_read(std::uint64_t gva) {
  return *reinterpret_cast<volatile T*>(gva);
}
template <typename T>
void volatile_write(std::uint64_t gva, T value) {
  *reinterpret_cast<volatile T*>(gva) = value;
}

inline std::uint64_t address_of(const volatile void* pointer) {
  return reinterpret_cast<std::uint64_t>(pointer);
}

namespace msr {
inline constexpr std::uint32_t kApicBase = 0x1b;
inline constexpr std::uint32_t kFeatureControl = 0x3a;
inline constexpr std::uint32_t kSysenterCs = 0x174;
inline constexpr std::uint32_t kSysenterEsp = 0x175;
inline constexpr std::uint32_t kSysenterEip = 0x176;
inline constexpr std::uint32_t kPat = 0x277;
inline constexpr std::uint32_t kVmxBasic = 0x480;
inline constexpr std::uint32_t kVmxPinbased = 0x481;
inline constexpr std::uint32_t kVmxProcbased = 0x482;
inline constexpr std::uint32_t kVmxExit = 0x483;
inline constexpr std::uint32_t kVmxEntry = 0x484;
inline constexpr std::uint32_t kVmxMisc = 0x485;
inline constexpr std::uint32_t kVmxCr0Fixed0 = 0x486;
inline constexpr std::uint32_t kVmxCr0Fixed1 = 0x487;
inline constexpr std::uint32_t kVmxCr4Fixed0 = 0x488;
inline constexpr std::uint32_t kVmxCr4Fixed1 = 0x489;
inline constexpr std::uint32_t kVmxProcbased2 = 0x48b;
inline constexpr std::uint32_t kVmxEptVpidCap = 0x48c;
inline constexpr std::uint32_t kVmxTruePinbased = 0x48d;
inline constexpr std::uint32_t kTscDeadline = 0x6e0;
inline constexpr std::uint32_t kEfer = 0xc0000080;
inline constexpr std::uint32_t kStar = 0xc0000081;
inline constexpr std::uint32_t kLstar = 0xc0000082;
inline constexpr std::uint32_t kFsBase = 0xc0000100;
inline constexpr std::uint32_t kGsBase = 0xc0000101;
inline constexpr std::uint32_t kKernelGsBase = 0xc0000102;
}  // namespace msr

namespace selector {
inline constexpr std::uint16_t kCode = 0x08;
inline constexpr std::uint16_t kData = 0x10;
inline constexpr std::uint16_t kTss = 0x18;
inline constexpr std::uint16_t kUserCode = 0x28 | 3;
inline constexpr std::uint16_t kUserData = 0x30 | 3;
}  // namespace selector

}  // namespace guest
