#include "hv/devices/pic.hpp"

#include <catch2/catch.hpp>

using namespace archelon::devices;

namespace {

PicPair initialised(std::uint8_t icw4 = 0x01) {
  PicPair pic;
  pic.write(0x20, 0x11);
  pic.write(0x21, 0x30);
  pic.write(0x21, 0x04);
  pic.write(0x21, icw4);
  pic.write(0xa0, 0x11);
  pic.write(0xa1, 0x38);
  pic.write(0xa1, 0x02);
  pic.write(0xa1, icw4);
  return pic;
}

void pulse(PicPair& pic, unsigned irq) {
  pic.set_line(irq, true);
  pic.set_line(irq, false);
}

}  // namespace

TEST_CASE("the mask registers hold what is written, which is how Linux finds the chips") {
  PicPair pic;
  pic.firmware_handoff();
  CHECK(pic.read(0x21) == 0xff);
  pic.write(0xa1, 0xff);
  pic.write(0x21, 0xfb);
  CHECK(pic.read(0x21) == 0xfb);
}

TEST_CASE("requests are served by priority and nest") {
  PicPair pic = initialised();
  pulse(pic, 5);
  pulse(pic, 3);
  CHECK(pic.output());
  CHECK(pic.vector() == 0x33);
  CHECK(pic.acknowledge() == 0x33);
  CHECK_FALSE(pic.output());  // 5 is below what is in service
  pulse(pic, 1);
  CHECK(pic.acknowledge() == 0x31);
  pic.write(0x20, 0x20);  // ends 1, the highest
  CHECK_FALSE(pic.output());
  pic.write(0x20, 0x63);  // specific, 3
  CHECK(pic.acknowledge() == 0x35);
}

TEST_CASE("the slave's interrupts pass through input 2 of the master") {
  PicPair pic = initialised();
  pulse(pic, 12);
  pulse(pic, 8);
  CHECK(pic.acknowledge() == 0x38);
  pic.write(0x20, 0x0b);
  CHECK(pic.read(0x20) == 0x04);
  pic.write(0xa0, 0x0b);
  CHECK(pic.read(0xa0) == 0x01);
  pic.write(0xa0, 0x20);
  CHECK_FALSE(pic.output());
  pic.write(0x20, 0x20);
  CHECK(pic.acknowledge() == 0x3c);
}

TEST_CASE("an acknowledge with nothing requested answers the spurious vector and serves nothing") {
  PicPair pic = initialised();
  CHECK(pic.acknowledge() == 0x37);
  pic.write(0x20, 0x0b);
  CHECK(pic.read(0x20) == 0);
}

TEST_CASE("edge inputs need a new edge, level inputs ask while they are high") {
  PicPair pic = initialised(0x03);  // automatic EOI
  pic.set_line(3, true);
  CHECK(pic.acknowledge() == 0x33);
  CHECK_FALSE(pic.output());
  pic.write(0x4d0, 0xff);
  CHECK(pic.read(0x4d0) == 0xf8);  // 0 to 2 are always edge
  CHECK(pic.output());
  CHECK(pic.acknowledge() == 0x33);
  CHECK(pic.output());
  pic.set_line(3, false);
  CHECK_FALSE(pic.output());
  pic.write(0x4d1, 0xff);
  CHECK(pic.read(0x4d1) == 0xde);
}

TEST_CASE("masks, rotation, special mask and poll") {
  PicPair pic = initialised();
  pic.write(0x21, 0x02);
  pulse(pic, 1);
  CHECK_FALSE(pic.output());
  pic.write(0x21, 0x00);
  CHECK(pic.acknowledge() == 0x31);
  pic.write(0x20, 0xa0);  // EOI that rotates: 1 becomes the lowest
  pulse(pic, 1);
  pulse(pic, 0);
  pulse(pic, 6);
  CHECK(pic.acknowledge() == 0x36);
  CHECK_FALSE(pic.output());
  // Special mask mode: what is in service blocks nothing once masked.
  pic.write(0x21, 0x40);
  pic.write(0x20, 0x68);
  CHECK(pic.acknowledge() == 0x30);
  pic.write(0x21, 0x41);
  pic.write(0x20, 0x0c);
  CHECK(pic.read(0x20) == 0x81);
  pic.write(0x20, 0x0b);
  CHECK(pic.read(0x20) == 0x43);
}

TEST_CASE("initialisation forgets edges and masks, and requests nothing until it is done") {
  PicPair pic = initialised();
  pic.set_line(4, true);
  pic.write(0x21, 0xff);
  pic.write(0x20, 0x11);
  CHECK_FALSE(pic.output());
  pic.write(0x21, 0x50);
  pic.write(0x21, 0x04);
  pic.write(0x21, 0x01);
  CHECK(pic.read(0x21) == 0x00);
  CHECK_FALSE(pic.output());
  pic.set_line(4, false);
  pic.set_line(4, true);
  CHECK(pic.acknowledge() == 0x54);
}

TEST_CASE("in special fully nested mode a higher input of the slave interrupts a lower one") {
  PicPair nested = initialised(0x11);
  PicPair plain = initialised(0x01);
  for (PicPair* pic : {&nested, &plain}) {
    pulse(*pic, 12);
    CHECK(pic->acknowledge() == 0x3c);
    pulse(*pic, 8);
  }
  CHECK_FALSE(plain.output());
  CHECK(nested.acknowledge() == 0x38);
}

TEST_CASE("rotation on automatic EOI serves the inputs in turn") {
  PicPair pic = initialised(0x03);
  pic.write(0x4d0, 0x18);  // 3 and 4 ask all the time
  pic.set_line(3, true);
  pic.set_line(4, true);
  CHECK(pic.acknowledge() == 0x33);
  CHECK(pic.acknowledge() == 0x33);
  pic.write(0x20, 0x80);
  CHECK(pic.acknowledge() == 0x33);
  CHECK(pic.acknowledge() == 0x34);
  CHECK(pic.acknowledge() == 0x33);
  pic.write(0x20, 0x00);
  CHECK(pic.acknowledge() == 0x34);
  CHECK(pic.acknowledge() == 0x34);
}
