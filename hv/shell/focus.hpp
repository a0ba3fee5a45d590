#pragma once

#include <cstdint>

namespace archelon::shell {

// Ctrl-]: from a VM's console to the shell and back.
inline constexpr char kEscapeKey = 0x1d;

// Decides who gets what is typed: the shell or the VM whose console was chosen.
class Focus {
 public:
  enum class Target : std::uint8_t {
    kShell,
    kVm,
    kEnterShell,      // the key itself: the shell takes over
    kEnterVm,         // back to the VM's console
    kEnterVmAndSend,  // the same, and the VM gets the key
  };

  [[nodiscard]] bool on_vm() const { return on_vm_; }
  // `console VM`, or the start.
  void go_to_vm() {
    has_vm_ = true;
    on_vm_ = true;
    just_escaped_ = false;
  }
  // The chosen VM has ended.
  void forget_vm() { *this = Focus{}; }

  [[nodiscard]] Target route(char c) {
    const bool is_second = just_escaped_;
    just_escaped_ = false;
    if (c != kEscapeKey) {
      return on_vm_ ? Target::kVm : Target::kShell;
    }
    if (on_vm_) {
      on_vm_ = false;
      just_escaped_ = true;
      return Target::kEnterShell;
    }
    if (!has_vm_) {
      return Target::kShell;  // where it means nothing
    }
    on_vm_ = true;
    return is_second ? Target::kEnterVmAndSend : Target::kEnterVm;
  }

 private:
  bool has_vm_ = false;
  bool on_vm_ = false;
  bool just_escaped_ = false;
};

}  // namespace archelon::shell
