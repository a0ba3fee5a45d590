#include "hv/guest/config.hpp"

#include <algorithm>
#include <utility>

#include "hv/base/text.hpp"
#include "hv/guest/layout.hpp"

namespace archelon::guest {
namespace {

// In the order of VmKey.
constexpr std::array<std::string_view, kVmKeys> kVmKeyNames = {"memory",     "cpus",     "kernel",
                                                               "initrd",     "cmdline",  "debugcon",
                                                               "debug-exit", "on-reset", "cpu-pin"};
static_assert(kVmKeyNames[static_cast<std::size_t>(VmKey::kCpuPin)] == "cpu-pin");

struct PortRange {
  std::uint16_t first;
  std::uint16_t last;
  std::string_view owner;
};
// The fixed ports of a VM's machine that a debug device must not cover.
constexpr PortRange kTakenPorts[] = {
    {0x20, 0x21, "interrupt controller"}, {0x40, 0x43, "interval timer"},
    {0x60, 0x64, "keyboard controller"},  {0x70, 0x71, "real-time clock"},
    {0x92, 0x92, "system control port"},  {0xA0, 0xA1, "interrupt controller"},
    {0x3F8, 0x3FF, "serial port"},        {0x4D0, 0x4D1, "interrupt controller"},
    {0x600, 0x60B, "power management"},   {0xCF8, 0xCFF, "PCI configuration"},
};

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 15 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::optional<std::size_t> index_of(std::span<const std::string_view> keys, std::string_view key) {
  const auto found = std::ranges::find(keys, key);
  if (found == keys.end()) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - keys.begin());
}

// What of a value is shown in an error.
std::string_view excerpt(std::string_view text) {
  return text.substr(0, 40);
}

class Parser {
 public:
  explicit Parser(Config& config) : config_(config), errors_(config.errors) {}

  void line(std::string_view text) {
    ++line_;
    const auto control = std::ranges::find_if(text, [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
    });
    if (control != text.end()) {
      fail("control character {:#04x} in the line; save the file as plain text",
           static_cast<unsigned char>(*control));
      return;
    }
    text = trim(without_comment(text));
    if (text.empty()) {
      return;
    }
    if (text.front() == '[') {
      finish_section();
      begin_section(text);
    } else {
      setting(text);
    }
  }

  void finish_section() {
    if (section_ != Section::kVm) {
      return;
    }
    const VmConfig& vm = config_.vms.back();
    for (const VmKey required : {VmKey::kMemory, VmKey::kKernel}) {
      if (!bad_ && vm.lines[static_cast<std::size_t>(required)] == 0) {
        const std::string_view key = kVmKeyNames[static_cast<std::size_t>(required)];
        errors_.add(vm.line, "vm {} has no {}; add a line '{} = ...'", vm.name, key, key);
        bad_ = true;
      }
    }
    if (!bad_ && !vm.cpu_pins.empty() && vm.cpu_pins.size() != vm.cpus) {
      errors_.add(vm.line_of(VmKey::kCpuPin),
                  "cpu-pin names {} CPUs and the vm has {}; name one for each", vm.cpu_pins.size(),
                  vm.cpus);
      bad_ = true;
    }
    if (!bad_ && vm.debugcon && vm.debug_exit && *vm.debugcon >= *vm.debug_exit &&
        *vm.debugcon < *vm.debug_exit + kDebugExitPorts) {
      errors_.add(vm.line_of(VmKey::kDebugcon),
                  "debugcon and debug-exit share port {:#x}; move one of them", *vm.debugcon);
      bad_ = true;
    }
    if (bad_) {
      config_.vms.pop_back();
    }
    section_ = Section::kSkipped;
  }

 private:
  enum class Section : std::uint8_t { kGlobal, kVm, kSkipped };
  static constexpr int kDebugExitPorts = 4;  // QEMU's tests give isa-debug-exit iosize 4

  template <class... Args>
  void fail(std::string_view pattern, const Args&... args) {
    errors_.add(line_, pattern, args...);
    bad_ = true;
  }

  static std::string_view without_comment(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t')) {
        return text.substr(0, i);
      }
    }
    return text;
  }

  void begin_section(std::string_view text) {
    section_ = Section::kSkipped;
    bad_ = false;
    if (text.back() != ']') {
      fail("section '{}' has no closing bracket; write [vm NAME]", excerpt(text));
      return;
    }
    const auto [kind, name] = split_word(text.substr(1, text.size() - 2));
    if (kind != "vm") {
      fail("unknown section '{}'; write [vm NAME]", excerpt(text));
      return;
    }
    if (!is_name(name)) {
      fail("'{}' is no name for a vm; use 1 to 15 of a-z, 0-9 and -", excerpt(name));
      return;
    }
    for (const VmConfig& vm : config_.vms) {
      if (vm.name == name) {
        fail("vm {} exists already in line {}; rename one of them", name, vm.line);
        return;
      }
    }
    VmConfig vm;
    vm.name = name;
    vm.line = line_;
    if (!config_.vms.push_back(vm)) {
      fail("vm {} is one too many, {} is the limit; remove it", name, kMaxVms);
      return;
    }
    section_ = Section::kVm;
  }

  void setting(std::string_view text) {
    if (section_ == Section::kSkipped) {
      return;
    }
    if (text.find('=') == std::string_view::npos) {
      fail("'{}' is no setting; write KEY = VALUE", excerpt(text));
      return;
    }
    const auto [key, rest] = split_at(text, '=');
    const std::string_view value = trim(rest);
    if (value.empty() && key != "cmdline") {
      fail("'{}' has no value; write one or remove the line", excerpt(key));
    } else if (section_ == Section::kGlobal) {
      global_setting(key, value);
    } else {
      vm_setting(key, value);
    }
  }

  void unknown_key(std::string_view key, std::span<const std::string_view> known) {
    const std::string_view guess = nearest(key, known);
    if (guess.empty()) {
      fail("unknown key '{}'; remove it", excerpt(key));
    } else {
      fail("unknown key '{}'; did you mean '{}'?", excerpt(key), guess);
    }
  }

  void global_setting(std::string_view key, std::string_view value) {
    const auto index = index_of(boot::kSettingKeys, key);
    if (!index) {
      if (index_of(kVmKeyNames, key)) {
        fail("'{}' belongs to a vm; move it below a line [vm NAME]", key);
      } else {
        unknown_key(key, boot::kSettingKeys);
      }
      return;
    }
    if (global_lines_[*index] != 0) {
      fail("'{}' is given in line {} already; keep one", key, global_lines_[*index]);
      return;
    }
    global_lines_[*index] = line_;
    const std::string_view expected = boot::apply_setting(config_.globals, key, value);
    if (!expected.empty()) {
      fail("{} is '{}'; {}", key, excerpt(value), expected);
    }
  }

  void vm_setting(std::string_view key, std::string_view value) {
    const auto index = index_of(kVmKeyNames, key);
    if (!index) {
      if (index_of(boot::kSettingKeys, key)) {
        fail("'{}' is a global key; move it above the first [vm NAME]", key);
      } else {
        unknown_key(key, kVmKeyNames);
        bad_ = true;
      }
      return;
    }
    VmConfig& vm = config_.vms.back();
    const VmKey vm_key{static_cast<std::uint8_t>(*index)};
    if (vm.lines[*index] != 0 && vm_key != VmKey::kInitrd) {
      fail("'{}' is given in line {} already; keep one", key, vm.lines[*index]);
      return;
    }
    vm.lines[*index] = line_;
    set_vm(vm, vm_key, value);
  }

  void set_vm(VmConfig& vm, VmKey key, std::string_view value) {
    switch (key) {
      case VmKey::kMemory:
        return set_memory(vm, value);
      case VmKey::kCpus:
        return set_cpus(vm, value);
      case VmKey::kKernel:
        if (!split_word(value).second.empty()) {
          fail("the kernel's path has a blank; put its arguments into 'cmdline = ...'");
        }
        vm.kernel = value;
        return;
      case VmKey::kInitrd: {
        const auto [path, arguments] = split_word(value);
        if (!vm.initrds.push_back({path, arguments, line_})) {
          fail("more than {} initrds; remove some", kMaxInitrds);
        }
        return;
      }
      case VmKey::kCmdline:
        vm.cmdline = value;
        return;
      case VmKey::kDebugcon:
        vm.debugcon = port(value, 1);
        return;
      case VmKey::kDebugExit:
        vm.debug_exit = port(value, kDebugExitPorts);
        return;
      case VmKey::kOnReset:
        if (value != "end" && value != "restart") {
          fail("on-reset is '{}'; use end or restart", excerpt(value));
        }
        vm.on_reset = value == "end" ? OnReset::kEnd : OnReset::kRestart;
        return;
      case VmKey::kCpuPin:
        return set_pins(vm, value);
    }
  }

  void set_memory(VmConfig& vm, std::string_view value) {
    const auto size = parse_size(value);
    if (!size) {
      fail("memory '{}' is no size; write for example 512M or 2G", excerpt(value));
      return;
    }
    if (const auto layout = MemoryLayout::of(*size); !layout) {
      fail("{}: '{}'; write for example 512M or 2G", describe(layout.error()), excerpt(value));
      return;
    }
    vm.memory = *size;
  }

  void set_cpus(VmConfig& vm, std::string_view value) {
    const auto cpus = parse_number(value);
    if (!cpus || *cpus == 0 || *cpus > kMaxVmCpus) {
      fail("cpus is '{}'; use a number from 1 to {}", excerpt(value), kMaxVmCpus);
      return;
    }
    vm.cpus = static_cast<std::uint32_t>(*cpus);
  }

  void set_pins(VmConfig& vm, std::string_view value) {
    do {
      const auto [word, rest] = split_at(value, ',');
      const auto cpu = parse_number(word);
      if (!cpu || *cpu > 0xFFFF) {
        fail("cpu-pin has '{}'; write CPU numbers, for example 0,1", excerpt(word));
        return;
      }
      if (!vm.cpu_pins.push_back(static_cast<std::uint16_t>(*cpu))) {
        fail("cpu-pin names more than {} CPUs; remove some", kMaxVmCpus);
        return;
      }
      value = rest;
    } while (!value.empty());
  }

  std::optional<std::uint16_t> port(std::string_view value, int count) {
    const auto number = parse_number(value);
    if (!number || *number == 0 || *number + static_cast<unsigned>(count - 1) > 0xFFFF) {
      fail("'{}' is no I/O port; write for example 0xe9", excerpt(value));
      return std::nullopt;
    }
    for (const PortRange& taken : kTakenPorts) {
      if (*number <= taken.last && *number + static_cast<unsigned>(count - 1) >= taken.first) {
        fail("port {:#x} belongs to the vm's {}; choose another", *number, taken.owner);
        return std::nullopt;
      }
    }
    return static_cast<std::uint16_t>(*number);
  }

  Config& config_;
  ConfigErrors& errors_;
  Section section_ = Section::kGlobal;
  bool bad_ = false;
  std::uint32_t line_ = 0;
  std::array<std::uint32_t, boot::kSettingKeys.size()> global_lines_{};
};

}  // namespace

void ConfigErrors::add_formatted(std::uint32_t line, std::string_view pattern,
                                 std::span<const FormatArg> args) {
  if (!lines_.push_back(Line{})) {
    ++left_out_;
    return;
  }
  Line& entry = lines_.back();
  const std::span<char> out(entry.text);
  const std::string_view where = format(out, "{}:{}: ", kConfigName, line);
  entry.size = where.size() + vformat(out.subspan(where.size()), pattern, args).size();
  for (char& c : out.first(entry.size)) {
    if (c < 0x20 || c > 0x7E) {
      c = '?';
    }
  }
}

void parse_config(std::string_view text, Config& config) {
  config.globals = {};
  config.vms.clear();
  config.errors.clear();
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  Parser parser(config);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    parser.line(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  parser.finish_section();
}

}  // namespace archelon::guest
