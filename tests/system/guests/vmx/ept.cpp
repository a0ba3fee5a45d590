#include "vmx/ept.hpp"

#include "runtime/console.hpp"
#include "runtime/cpu.hpp"

namespace guest::vmx {

namespace {

constexpr std::uint64_t kAddress = 0xffffffffff000;

constexpr std::size_t index_at(std::uint64_t gpa, unsigned level) {
  return gpa >> (12 + 9 * level) & 511;
}

}  // namespace

std::uint64_t* EptTree::new_table() {
  if (used_ == kTables) fail("no EPT table left");
  return tables_[used_++].entries;
}

std::uint64_t& EptTree::entry(std::uint64_t gpa, unsigned level) {
  std::uint64_t* table = tables_[0].entries;
  for (unsigned l = 3; l > level; --l) {
    std::uint64_t& e = table[index_at(gpa, l)];
    if (e == 0) e = address_of(new_table()) | ept::kAll;
    if (l < 3 && (e & ept::kLarge) != 0) fail("large EPT page at ", hex(gpa));
    table = reinterpret_cast<std::uint64_t*>(e & kAddress);
  }
  return table[index_at(gpa, level)];
}

void EptTree::map(std::uint64_t gpa, std::uint64_t pa, unsigned level, std::uint64_t rights) {
  entry(gpa, level) = pa | rights | ept::kWriteBack | (level > 0 ? ept::kLarge : 0);
}

void EptTree::map_identity(std::uint64_t begin, std::uint64_t end) {
  for (std::uint64_t gpa = begin; gpa < end; gpa += 0x200000) map(gpa, gpa, 1);
}

void EptTree::split(std::uint64_t gpa) {
  gpa &= ~std::uint64_t{0x1fffff};
  std::uint64_t& large = entry(gpa, 1);
  const std::uint64_t pa = large & kAddress;
  large = 0;
  for (std::uint64_t i = 0; i < 512; ++i) map(gpa + (i << 12), pa + (i << 12), 0);
}

void EptTree::clear() {
  for (Table& t : tables_) __builtin_memset(t.entries, 0, sizeof t.entries);
  used_ = 1;
}

std::uint64_t EptTree::pointer(bool accessed_dirty) const {
  return address_of(&tables_[0]) | 6 | (3 << 3) | (accessed_dirty ? 1 << 6 : 0);
}

}  // namespace guest::vmx
