#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "boot/command_line.hpp"
#include "hv/base/format.hpp"
#include "hv/base/static_vector.hpp"

namespace archelon::guest {

inline constexpr std::string_view kConfigName = "archelon.conf";
inline constexpr std::size_t kMaxVms = 16;
inline constexpr std::size_t kMaxVmCpus = 16;
inline constexpr std::size_t kMaxInitrds = 16;

enum class OnReset : std::uint8_t { kRestart, kEnd };

enum class VmKey : std::uint8_t {
  kMemory,
  kCpus,
  kKernel,
  kInitrd,
  kCmdline,
  kDebugcon,
  kDebugExit,
  kOnReset,
  kCpuPin,
};
inline constexpr std::size_t kVmKeys = 9;

struct InitrdConfig {
  std::string_view path;
  std::string_view arguments;
  std::uint32_t line = 0;
};

// One `[vm NAME]` section. The strings point into the text that was parsed.
struct VmConfig {
  std::string_view name;
  std::uint32_t line = 0;
  std::uint64_t memory = 0;
  std::uint32_t cpus = 1;
  std::string_view kernel;
  StaticVector<InitrdConfig, kMaxInitrds> initrds;
  std::string_view cmdline;
  std::optional<std::uint16_t> debugcon;
  std::optional<std::uint16_t> debug_exit;
  OnReset on_reset = OnReset::kRestart;
  StaticVector<std::uint16_t, kMaxVmCpus> cpu_pins;  // one per vCPU, or empty
  std::array<std::uint32_t, kVmKeys> lines{};        // where each key stands; 0: not given

  [[nodiscard]] constexpr std::uint32_t line_of(VmKey key) const {
    const std::uint32_t at = lines[static_cast<std::size_t>(key)];
    return at != 0 ? at : line;
  }
};

// The errors found, each one printable ASCII line `archelon.conf:LINE: what is wrong; the
// fix`. Past the bound they are only counted.
class ConfigErrors {
 public:
  static constexpr std::size_t kMax = 32;
  static constexpr std::size_t kLineSize = 200;

  template <class... Args>
  void add(std::uint32_t line, std::string_view pattern, const Args&... args) {
    const FormatArg list[] = {FormatArg(args)..., FormatArg(0)};
    add_formatted(line, pattern, std::span<const FormatArg>(list, sizeof...(args)));
  }

  void clear() {
    lines_.clear();
    left_out_ = 0;
  }

  [[nodiscard]] std::size_t size() const { return lines_.size(); }
  [[nodiscard]] bool empty() const { return lines_.empty(); }
  [[nodiscard]] std::string_view operator[](std::size_t i) const {
    return {lines_[i].text.data(), lines_[i].size};
  }
  // How many more there were than fit.
  [[nodiscard]] std::size_t left_out() const { return left_out_; }
  [[nodiscard]] std::size_t total() const { return size() + left_out_; }

 private:
  struct Line {
    std::array<char, kLineSize> text;
    std::size_t size;
  };
  void add_formatted(std::uint32_t line, std::string_view pattern, std::span<const FormatArg> args);

  StaticVector<Line, kMax> lines_;
  std::size_t left_out_ = 0;
};

// About 24 KiB: keep it in static storage.
struct Config {
  boot::Settings globals;  // the keys before the first section
  StaticVector<VmConfig, kMaxVms> vms;
  ConfigErrors errors;
};

// Reads the text of archelon.conf into `config`, which is emptied first. Any bytes are bearable: a
// section with an error is left out, the others go on. `text` must outlive `config`.
//
// A line is `[vm NAME]`, `KEY = VALUE` or empty; `#` at its start or after a blank begins a
// comment.
void parse_config(std::string_view text, Config& config);

// What there is for the VMs.
struct MachineResources {
  std::uint64_t memory = 0;  // bytes that can be given to VMs
  std::uint32_t cpus = 0;
  std::span<const std::string_view> modules;  // the names under which files were loaded
};

// Checks what the VMs ask for against the machine, in the order of the file. A VM that cannot be
// had is removed from `config`, with its errors added; the memory of those that stay adds up.
void check_against_machine(Config& config, const MachineResources& machine);

}  // namespace archelon::guest
