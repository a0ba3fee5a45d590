#pragma once

#include <cstdint>

#include "hv/shell/word_list.hpp"

namespace archelon::shell {

// Adds to `words` what the value of the VMCS field `encoding` means; nothing for fields that are
// plain numbers and addresses.
void decode_field(std::uint32_t encoding, std::uint64_t value, WordList& words);

}  // namespace archelon::shell
