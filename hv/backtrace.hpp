#pragma once

#include <cstdint>

#include "hv/base/format.hpp"

namespace archelon::hv {

// Writes "0xADDRESS FUNCTION+0xOFFSET", or the address alone where no function of ours is there.
std::string_view describe_code(std::span<char> out, std::uint64_t rip);

// Calls visit(return address) for each frame of the chain that starts at `rbp`, at most 24, while
// the chain stays in mapped memory and climbs. Safe on a corrupt stack.
void walk_stack(std::uint64_t rbp, void (*visit)(std::uint64_t rip));

}  // namespace archelon::hv
