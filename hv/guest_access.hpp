#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "hv/arch/exception.hpp"
#include "hv/arch/segment.hpp"
#include "hv/base/address.hpp"
#include "hv/vcpu.hpp"

// L0's access to the memory of the guest that runs on a vCPU (L1, or L2 through its own EPT), by
// linear address as the guest's own instruction would do it.
namespace archelon::hv {

[[nodiscard]] std::uint64_t segment_base(Vcpu& vcpu, arch::Segment segment);
// base + offset, cut to 32 bits outside 64-bit mode (where only FS and GS have a base).
[[nodiscard]] std::uint64_t linear_address(Vcpu& vcpu, std::uint64_t base, std::uint64_t offset);

// Each answers false where the access faults; the fault is then pending for the guest (or was
// reflected to L1) and the instruction must not be completed.
[[nodiscard]] bool read_guest_linear(Vcpu& vcpu, Gva address, std::span<std::byte> out);
[[nodiscard]] bool write_guest_linear(Vcpu& vcpu, Gva address, std::span<const std::byte> in);
[[nodiscard]] bool probe_guest_write(Vcpu& vcpu, Gva address, std::size_t size);
// For the emulation of L1's own instructions: the fault is the caller's to raise; nothing where the
// access succeeded.
[[nodiscard]] std::optional<arch::Exception> read_l1_linear(Vcpu& vcpu, Gva address,
                                                            std::span<std::byte> out);
[[nodiscard]] std::optional<arch::Exception> write_l1_linear(Vcpu& vcpu, Gva address,
                                                             std::span<const std::byte> in);
// Where the linear address is in L1's physical memory; nothing where the access faults, as above.
[[nodiscard]] std::optional<Gpa1> guest_physical(Vcpu& vcpu, Gva address, bool write);
// The bytes at CS:RIP, as many as are there up to out.size(); 0 where even the first one faults.
[[nodiscard]] std::size_t fetch_instruction(Vcpu& vcpu, std::span<std::byte> out);

}  // namespace archelon::hv
