#include "hv/guest/config.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "hv/guest/layout.hpp"

using namespace archelon;
using namespace archelon::guest;

namespace {

std::unique_ptr<Config> parse(std::string_view text) {
  auto config = std::make_unique<Config>();
  parse_config(text, *config);
  return config;
}

// The one error of `text`, without "archelon.conf:".
std::string error_of(std::string_view text) {
  const auto config = parse(text);
  CAPTURE(text);
  REQUIRE(config->errors.total() == 1);
  const std::string_view line = config->errors[0];
  REQUIRE(line.starts_with("archelon.conf:"));
  return std::string(line.substr(14));
}

std::string vm_error(std::string_view line) {
  return error_of("[vm a]\nmemory = 64M\nkernel = k\n" + std::string(line));
}

}  // namespace

TEST_CASE("a whole configuration is read as written") {
  constexpr std::string_view kText =
      "# demo\n"
      "on-end = poweroff\n"
      "console = com1, debugcon\n"
      "loglevel=debug\n"
      "\n"
      "[vm l1]   # the guest hypervisor\n"
      "  memory = 512M\n"
      "\tcpus = 2\n"
      "kernel = boot/vmlinuz\n"
      "initrd = boot/one.img\n"
      "initrd = boot/two.img  --flag x=1 \n"
      "cmdline = console=ttyS0 root=#5 quiet # not this\n"
      "debugcon = 0xe9\n"
      "debug-exit = 244\n"
      "on-reset = end\n"
      "cpu-pin = 1,0\n"
      "[vm other]\n"
      "memory = 0x40000000\n"
      "kernel = xen";
  const auto config = parse(kText);
  REQUIRE(config->errors.empty());
  CHECK(config->globals.on_end == boot::OnEnd::kPowerOff);
  CHECK(config->globals.log_level == LogLevel::kDebug);
  REQUIRE(config->globals.consoles.has_value());
  REQUIRE(config->globals.consoles->size() == 2);
  CHECK((*config->globals.consoles)[0] == boot::Console::kCom1);
  CHECK((*config->globals.consoles)[1] == boot::Console::kDebugcon);
  REQUIRE(config->vms.size() == 2);
  const VmConfig& vm = config->vms[0];
  CHECK(vm.name == "l1");
  CHECK(vm.line == 6);
  CHECK(vm.memory == 512 * kMiB);
  CHECK(vm.cpus == 2);
  CHECK(vm.kernel == "boot/vmlinuz");
  REQUIRE(vm.initrds.size() == 2);
  CHECK(vm.initrds[0].path == "boot/one.img");
  CHECK(vm.initrds[0].arguments.empty());
  CHECK(vm.initrds[1].path == "boot/two.img");
  CHECK(vm.initrds[1].arguments == "--flag x=1");
  CHECK(vm.cmdline == "console=ttyS0 root=#5 quiet");
  CHECK(vm.debugcon == 0xE9);
  CHECK(vm.debug_exit == 0xF4);
  CHECK(vm.on_reset == OnReset::kEnd);
  REQUIRE(vm.cpu_pins.size() == 2);
  CHECK(vm.cpu_pins[0] == 1);
  const VmConfig& other = config->vms[1];
  CHECK(other.memory == kGiB);
  CHECK(other.cpus == 1);
  CHECK(other.kernel == "xen");
  CHECK(other.on_reset == OnReset::kRestart);
  CHECK_FALSE(other.debugcon.has_value());
}

TEST_CASE("line ends of other systems and a byte order mark are no matter") {
  const auto config =
      parse("\xEF\xBB\xBFloglevel = info\r\n[vm a]\r\nmemory = 8M\r\nkernel = k\r\ncmdline =\r\n");
  REQUIRE(config->errors.empty());
  REQUIRE(config->vms.size() == 1);
  CHECK(config->vms[0].kernel == "k");
  CHECK(config->vms[0].cmdline.empty());
}

TEST_CASE("each mistake is one line with its place and its fix") {
  CHECK(vm_error("memroy = 1G") == "4: unknown key 'memroy'; did you mean 'memory'?");
  CHECK(vm_error("colour = red") == "4: unknown key 'colour'; remove it");
  CHECK(vm_error("kernel = k2") == "4: 'kernel' is given in line 3 already; keep one");
  CHECK(vm_error("loglevel = info") ==
        "4: 'loglevel' is a global key; move it above the first [vm NAME]");
  CHECK(vm_error("just words") == "4: 'just words' is no setting; write KEY = VALUE");
  CHECK(vm_error("cpus =") == "4: 'cpus' has no value; write one or remove the line");
  CHECK(vm_error("cpus = 0") == "4: cpus is '0'; use a number from 1 to 16");
  CHECK(vm_error("cpus = 17") == "4: cpus is '17'; use a number from 1 to 16");
  CHECK(vm_error("debugcon = e9") == "4: 'e9' is no I/O port; write for example 0xe9");
  CHECK(vm_error("debugcon = 0x10000") == "4: '0x10000' is no I/O port; write for example 0xe9");
  CHECK(vm_error("debug-exit = 0xfffd") == "4: '0xfffd' is no I/O port; write for example 0xe9");
  CHECK(vm_error("debugcon = 0x3f8") ==
        "4: port 0x3f8 belongs to the vm's serial port; choose another");
  CHECK(vm_error("debug-exit = 0x5fd") ==
        "4: port 0x5fd belongs to the vm's power management; choose another");
  CHECK(vm_error("debugcon = 0xf5\ndebug-exit = 0xf4") ==
        "4: debugcon and debug-exit share port 0xf5; move one of them");
  CHECK(vm_error("on-reset = stop") == "4: on-reset is 'stop'; use end or restart");
  CHECK(vm_error("cpu-pin = 0,x") == "4: cpu-pin has 'x'; write CPU numbers, for example 0,1");
  CHECK(vm_error("cpus = 2\ncpu-pin = 1") ==
        "5: cpu-pin names 1 CPUs and the vm has 2; name one for each");
  CHECK(vm_error("cmdline = a\x01") ==
        "4: control character 0x01 in the line; save the file as plain text");
  CHECK(error_of("[vm a]\nkernel = k") == "1: vm a has no memory; add a line 'memory = ...'");
  CHECK(error_of("[vm a]\nmemory = 8M") == "1: vm a has no kernel; add a line 'kernel = ...'");
  CHECK(error_of("[vm a]\nmemory = 8M\nkernel = k x=1") ==
        "3: the kernel's path has a blank; put its arguments into 'cmdline = ...'");
  CHECK(error_of("memory = 8M") == "1: 'memory' belongs to a vm; move it below a line [vm NAME]");
  CHECK(error_of("on-end = halt") == "1: on-end is 'halt'; use shell, poweroff or reboot");
  CHECK(error_of("console = com1,com9") ==
        "1: console is 'com1,com9'; use a list of com1 to com4, pci-serial, debugcon and vga");
  CHECK(error_of("on-end = shell\non-end = shell") ==
        "2: 'on-end' is given in line 1 already; keep one");
  CHECK(error_of("[vm A]") == "1: 'A' is no name for a vm; use 1 to 15 of a-z, 0-9 and -");
  CHECK(error_of("[vm a-name-that-long]") ==
        "1: 'a-name-that-long' is no name for a vm; use 1 to 15 of a-z, 0-9 and -");
  CHECK(error_of("[vm]") == "1: '' is no name for a vm; use 1 to 15 of a-z, 0-9 and -");
  CHECK(error_of("[disk a]") == "1: unknown section '[disk a]'; write [vm NAME]");
  CHECK(error_of("[vm a") == "1: section '[vm a' has no closing bracket; write [vm NAME]");
}

TEST_CASE("sizes are checked for form, range and overflow") {
  const auto memory_error = [](std::string_view size) {
    return error_of("[vm a]\nkernel = k\nmemory = " + std::string(size));
  };
  const std::string no_size = "' is no size; write for example 512M or 2G";
  CHECK(memory_error("lots") == "3: memory 'lots" + no_size);
  CHECK(memory_error("-4M") == "3: memory '-4M" + no_size);
  CHECK(memory_error("4MB") == "3: memory '4MB" + no_size);
  CHECK(memory_error("0x") == "3: memory '0x" + no_size);
  CHECK(memory_error("17179869184G") == "3: memory '17179869184G" + no_size);
  CHECK(memory_error("18446744073709551616") == "3: memory '18446744073709551616" + no_size);
  CHECK(memory_error("3M") ==
        "3: memory is below the minimum of 4M: '3M'; write for example 512M or 2G");
  CHECK(memory_error("17179869183G").starts_with("3: memory is above the maximum"));
  CHECK(memory_error("5000K").starts_with("3: memory is not a multiple of 2M"));
  CHECK(parse("[vm a]\nkernel = k\nmemory = 2g")->vms[0].memory == 2 * kGiB);
}

TEST_CASE("a bad section is left out and the others go on") {
  const auto config = parse(
      "[vm a]\nmemory = 8M\nkernel = k\n"
      "[vm b]\nmemory = much\nkernel = k\n"
      "[what]\nmemory = never read\n"
      "[vm a]\nmemory = 16M\nkernel = k\n"
      "[vm c]\nmemory = 32M\nkernel = k\n");
  REQUIRE(config->vms.size() == 2);
  CHECK(config->vms[0].memory == 8 * kMiB);
  CHECK(config->vms[1].name == "c");
  REQUIRE(config->errors.size() == 3);
  CHECK(config->errors[2] == "archelon.conf:9: vm a exists already in line 1; rename one of them");
}

TEST_CASE("too many of anything are refused") {
  std::string text;
  for (unsigned i = 0; i <= kMaxVms; ++i) {
    text += "[vm v" + std::to_string(i) + "]\nmemory = 8M\nkernel = k\n";
  }
  CHECK(error_of(text) == "49: vm v16 is one too many, 16 is the limit; remove it");
  CHECK(parse(text)->vms.size() == kMaxVms);

  std::string initrds = "[vm a]\nmemory = 8M\nkernel = k\n";
  for (unsigned i = 0; i < kMaxInitrds; ++i) {
    initrds += "initrd = i\n";
  }
  CHECK(parse(initrds)->errors.empty());
  CHECK(error_of(initrds + "initrd = i") == "20: more than 16 initrds; remove some");

  const auto flooded = parse(std::string(1000, '\n') + [] {
    std::string bad;
    for (int i = 0; i < 100; ++i) {
      bad += "nonsense\n";
    }
    return bad;
  }());
  CHECK(flooded->errors.size() == ConfigErrors::kMax);
  CHECK(flooded->errors.left_out() == 100 - ConfigErrors::kMax);
  CHECK(flooded->errors[0] == "archelon.conf:1001: 'nonsense' is no setting; write KEY = VALUE");
}

TEST_CASE("what is not text gives printable errors and no vm") {
  using namespace std::string_literals;
  const auto nul = parse("[vm a]\nmemory = 8M\nker\0nel = k\n"s);
  CHECK(nul->vms.empty());
  CHECK(nul->errors[0] ==
        "archelon.conf:3: control character 0x00 in the line; save the file as plain text");
  CHECK(error_of("\xC3\xA9t\xC3\xA9 = 1") == "1: unknown key '?\?t?\?'; remove it");
}

TEST_CASE("the machine's memory, CPUs and modules bound the VMs in their order") {
  constexpr std::array<std::string_view, 2> kModules = {"vmlinuz", "initrd.img"};
  const MachineResources machine{100 * kMiB, 2, kModules};
  const auto config = parse(
      "[vm a]\nmemory = 64M\nkernel = vmlinuz\n"
      "[vm b]\nmemory = 64M\nkernel = vmlinuz\n"
      "[vm c]\nmemory = 36M\nkernel = vmlinuz\ninitrd = initrd.img x\n"
      "[vm d]\nmemory = 4M\nkernel = other\n"
      "[vm e]\nkernel = vmlinuz\nmemory = 4M\ncpus = 3\ncpu-pin = 0,1,2\n"
      "[vm f]\nkernel = vmlinuz\ninitrd = no.img\nmemory = 4M\n");
  REQUIRE(config->errors.empty());
  check_against_machine(*config, machine);
  REQUIRE(config->vms.size() == 2);
  CHECK(config->vms[0].name == "a");
  CHECK(config->vms[1].name == "c");
  std::string all;
  for (std::size_t i = 0; i < config->errors.size(); ++i) {
    all += std::string(config->errors[i].substr(14)) + "\n";
  }
  CHECK(all ==
        "5: vm b asks for 64M of memory and 36M are left; ask for at most that\n"
        "12: vm d asks for 4M of memory and 0M are left; ask for at most that\n"
        "13: kernel 'other' was not loaded; add 'module2 FILE other' to the GRUB menu entry\n"
        "16: vm e asks for 4M of memory and 0M are left; ask for at most that\n"
        "17: vm e asks for 3 CPUs and the machine has 2; ask for at most that\n"
        "18: vm e is pinned to CPU 2 and the machine has CPUs 0 to 1; pin it to those\n"
        "22: vm f asks for 4M of memory and 0M are left; ask for at most that\n"
        "21: initrd 'no.img' was not loaded; add 'module2 FILE no.img' to the GRUB menu entry\n");
}
