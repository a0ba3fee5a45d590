#include "hv/base/format.hpp"

#include <array>

namespace archelon {
namespace {

struct Spec {
  bool left = false;
  bool prefix = false;
  bool zeros = false;
  bool hex = false;
  unsigned width = 0;
};

class Writer {
 public:
  explicit Writer(std::span<char> out) : out_(out) {}
  void put(char c) {
    if (used_ < out_.size()) {
      out_[used_++] = c;
    }
  }
  void put(std::string_view s) {
    for (const char c : s) {
      put(c);
    }
  }
  void pad(char c, std::size_t length, unsigned width) {
    for (; length < width; ++length) {
      put(c);
    }
  }
  [[nodiscard]] std::string_view written() const { return {out_.data(), used_}; }

 private:
  std::span<char> out_;
  std::size_t used_ = 0;
};

Spec parse_spec(std::string_view text) {
  Spec spec;
  for (const char c : text) {
    if (c == '<') {
      spec.left = true;
    } else if (c == '#') {
      spec.prefix = true;
    } else if (c == 'x') {
      spec.hex = true;
    } else if (c == '0' && spec.width == 0) {
      spec.zeros = true;
    } else if (c >= '0' && c <= '9' && spec.width < 100) {
      spec.width = spec.width * 10 + static_cast<unsigned>(c - '0');
    }
  }
  return spec;
}

void put_text(Writer& writer, std::string_view text, const Spec& spec, bool left) {
  if (!left) {
    writer.pad(' ', text.size(), spec.width);
  }
  writer.put(text);
  if (left) {
    writer.pad(' ', text.size(), spec.width);
  }
}

void put_number(Writer& writer, std::uint64_t value, bool negative, const Spec& spec) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<char, 20> digits{};
  std::size_t first = digits.size();
  const unsigned base = spec.hex ? 16 : 10;
  do {
    digits[--first] = kDigits[value % base];
    value /= base;
  } while (value != 0);
  const std::string_view text(digits.data() + first, digits.size() - first);
  const std::string_view sign = negative ? "-" : "";
  const std::string_view prefix = spec.prefix ? "0x" : "";
  const std::size_t length = text.size() + sign.size() + prefix.size();
  if (!spec.zeros && !spec.left) {
    writer.pad(' ', length, spec.width);
  }
  writer.put(sign);
  writer.put(prefix);
  if (spec.zeros) {
    writer.pad('0', length, spec.width);
  }
  writer.put(text);
  if (spec.left) {
    writer.pad(' ', length, spec.width);
  }
}

void put_arg(Writer& writer, const FormatArg& arg, Spec spec) {
  switch (arg.kind()) {
    case FormatArg::Kind::kString:
      put_text(writer, arg.string(), spec, true);
      return;
    case FormatArg::Kind::kBool:
      put_text(writer, arg.value() != 0 ? "true" : "false", spec, spec.left);
      return;
    case FormatArg::Kind::kChar: {
      const char c = static_cast<char>(arg.value());
      put_text(writer, std::string_view(&c, 1), spec, true);
      return;
    }
    case FormatArg::Kind::kAddress:
      spec.prefix = spec.prefix || !spec.hex;
      spec.hex = true;
      put_number(writer, arg.value(), false, spec);
      return;
    case FormatArg::Kind::kSigned: {
      const bool negative = static_cast<std::int64_t>(arg.value()) < 0 && !spec.hex;
      put_number(writer, negative ? 0 - arg.value() : arg.value(), negative, spec);
      return;
    }
    case FormatArg::Kind::kUnsigned:
      put_number(writer, arg.value(), false, spec);
      return;
  }
}

}  // namespace

std::string_view vformat(std::span<char> out, std::string_view pattern,
                         std::span<const FormatArg> args) {
  Writer writer(out);
  std::size_t next = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if ((c == '{' || c == '}') && i + 1 < pattern.size() && pattern[i + 1] == c) {
      writer.put(c);
      ++i;
      continue;
    }
    if (c != '{') {
      writer.put(c);
      continue;
    }
    const std::size_t close = pattern.find('}', i);
    if (close == std::string_view::npos) {
      writer.put(pattern.substr(i));
      break;
    }
    if (next < args.size()) {
      put_arg(writer, args[next++], parse_spec(pattern.substr(i + 1, close - i - 1)));
    } else {
      writer.put("{?}");
    }
    i = close;
  }
  return writer.written();
}

}  // namespace archelon
