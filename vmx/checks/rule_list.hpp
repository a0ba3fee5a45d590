#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "vmx/checks/entry_rule.hpp"
#include "vmx/field_set.hpp"
#include "vmx/fields.hpp"

// How the checks are written down: one rule() each, with its predicate, in lists by section.
namespace archelon::vmx::checks {

template <class T>
constexpr void add_to(FieldSet& set, Field<T> field) {
  set.add(position_of(field));
}
constexpr void add_to(FieldSet& set, const FieldSet& more) {
  set |= more;
}
// The set of the given fields and sets.
template <class... Fields>
[[nodiscard]] constexpr FieldSet looks_at(const Fields&... fields) {
  FieldSet set;
  (add_to(set, fields), ...);
  return set;
}

inline constexpr FieldSet kGuestStateFields = [] {
  FieldSet guest;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    if (field_type(kFieldNames[i].encoding) == FieldType::kGuestState) {
      guest.add(i);
    }
  }
  return guest;
}();

// A check. `holds(context)` is true where the VMCS passes; it looks at no field outside `fields`.
template <class Predicate>
struct Rule {
  RuleId id;
  std::string_view name;
  FieldSet fields;
  Predicate holds;
  std::uint8_t qualification = entry_failure::kDefault;
  bool reads_memory = false;

  [[nodiscard]] constexpr Rule with_qualification(std::uint8_t value) const {
    Rule copy = *this;
    copy.qualification = value;
    return copy;
  }
  [[nodiscard]] constexpr Rule reading_memory() const {
    Rule copy = *this;
    copy.reads_memory = true;
    return copy;
  }
};

template <class Predicate>
[[nodiscard]] constexpr Rule<Predicate> rule(RuleId id, std::string_view name,
                                             const FieldSet& fields, Predicate holds) {
  return {.id = id, .name = name, .fields = fields, .holds = holds};
}

template <std::size_t I, class R>
struct Slot {
  R rule;
};

template <class Indices, class... Rs>
struct RuleList;

// Rules of one section, each of its own type, in order.
template <std::size_t... I, class... Rs>
struct RuleList<std::index_sequence<I...>, Rs...> : Slot<I, Rs>... {
  CheckSection section;
  FieldSet fields;    // of all of them
  bool reads_memory;  // any of them

  constexpr RuleList(CheckSection of, Rs... rules)
      : Slot<I, Rs>{rules}...,
        section(of),
        fields(looks_at(rules.fields...)),
        reads_memory((rules.reads_memory || ...)) {}

  static constexpr std::size_t kSize = sizeof...(Rs);
};

template <class... Rs>
[[nodiscard]] constexpr auto rules(CheckSection section, Rs... list) {
  return RuleList<std::index_sequence_for<Rs...>, Rs...>(section, list...);
}

template <std::size_t I, class R>
constexpr const R& slot(const Slot<I, R>& of) {
  return of.rule;
}

// A list, or a rule of it, as a type: all that is known about it folds into the code.
template <const auto& list>
struct ListOf {
  static constexpr const auto& kValue = list;
};
template <const auto& list, std::size_t kIndex>
struct RuleOf {
  static constexpr const auto& kValue = slot<kIndex>(list);
};

// Calls f(RuleOf) for each rule of the list, in order, until it answers true; answers whether it
// did.
template <const auto& list, class F>
constexpr bool any_rule(ListOf<list>, F&& f) {
  return [&]<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
    return (f(RuleOf<list, kIndex>{}) || ...);
  }
  (std::make_index_sequence<list.kSize>{});
}

// True where the fields of the rule or list `Of` are among `set`.
template <class Of>
[[nodiscard]] constexpr bool meets(const FieldSet& set) {
  return [&]<std::size_t... kWord>(std::index_sequence<kWord...>) {
    return ((Of::kValue.fields.word(kWord) != 0 &&
             (Of::kValue.fields.word(kWord) & set.word(kWord)) != 0) ||
            ...);
  }
  (std::make_index_sequence<FieldSet::kWords>{});
}

}  // namespace archelon::vmx::checks
