#include <catch2/catch.hpp>

#include "tests/unit/devices/machine_fixture.hpp"

using namespace archelon;
using namespace archelon::devices;

TEST_CASE("ports that nothing decodes read all ones at every size and ignore writes") {
  TestMachine m;
  CHECK(m.machine.io_read(0x2f8, 1, 0) == 0xff);
  CHECK(m.machine.io_read(0x5000, 2, 0) == 0xffff);
  CHECK(m.machine.io_read(0x5000, 4, 0) == 0xffff'ffff);
  CHECK(m.machine.io_read(0xffff, 4, 0) == 0xffff'ffff);
  m.machine.io_write(0xffff, 4, 0x1234'5678, 0);
  CHECK(m.host.powers.empty());
}

TEST_CASE("debug console and debug exit") {
  TestMachine m;
  CHECK(m.in(0xe9) == 0xe9);
  m.out(0xe9, 'a');
  m.machine.io_write(0xe9, 2, 'b' | 'c' << 8, 0);  // the second byte belongs to the next port
  CHECK(m.host.debug == "ab");
  m.machine.io_write(0xf4, 2, 0xabcd'0010, 0);
  REQUIRE(m.host.powers.size() == 1);
  CHECK(m.host.powers[0].event == PowerEvent::kDebugExit);
  CHECK(m.host.powers[0].code == 0x10);
  CHECK(debug_exit_status(0x10) == 0x21);
}
