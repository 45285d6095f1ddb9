#include "csv_api.h"

#include <float.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

namespace {

const uint64_t kExactIntegers = uint64_t{1} << 53;  // up to here a double holds each
const int kExactPowers = 22;                        // 10^22 is the last power of ten that it holds
const int kLongestNumber = 60;

const double kPowers[kExactPowers + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                          1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                          1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

bool is_space(char c) {
  return c == ' ' || c == '\t';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

const char* skip_spaces(const char* at) {
  while (is_space(*at)) {
    ++at;
  }
  return at;
}

// At the line feed, or at the carriage return before it. Every line here has one.
bool at_line_end(const char* at) {
  return *at == '\n' || (*at == '\r' && at[1] == '\n');
}

// strtod follows the locale of the process, which writes commas in some countries.
bool parse_slowly(const char* begin, const char* end, double* value) {
  char copy[kLongestNumber + 1];
  const long length = end - begin;
  if (length > kLongestNumber || localeconv()->decimal_point[0] != '.') {
    return false;
  }
  memcpy(copy, begin, static_cast<size_t>(length));
  copy[length] = '\0';
  *value = strtod(copy, nullptr);
  return *value - *value == 0.0;  // else it is infinite
}

// A decimal number at `at`; where it ends, or NULL. An integer and a power of ten that are both
// exact give the nearest double in one rounding (Clinger, How to read floating point numbers
// accurately, 1990).
const char* parse_number(const char* at, double* value) {
  const char* begin = at;
  const bool negative = *at == '-';
  if (*at == '-' || *at == '+') {
    ++at;
  }
  uint64_t digits = 0;
  int n_digits = 0, exponent = 0;
  const char* first = at;
  for (; is_digit(*at); ++at) {
    digits = digits * 10 + static_cast<uint64_t>(*at - '0');
  }
  n_digits = static_cast<int>(at - first);
  if (*at == '.') {
    const char* point = ++at;
    for (; is_digit(*at); ++at) {
      digits = digits * 10 + static_cast<uint64_t>(*at - '0');
    }
    exponent = -static_cast<int>(at - point);
    n_digits -= exponent;
  }
  if (n_digits == 0) {
    return nullptr;
  }
  if (*at == 'e' || *at == 'E') {
    ++at;
    const bool down = *at == '-';
    if (*at == '-' || *at == '+') {
      ++at;
    }
    if (!is_digit(*at)) {
      return nullptr;
    }
    int written = 0;
    for (; is_digit(*at); ++at) {
      written = written > 9999 ? written : written * 10 + (*at - '0');
    }
    exponent += down ? -written : written;
  }
  // 19 digits fit 64 bits.
  if (FLT_EVAL_METHOD == 0 && n_digits <= 19 && digits <= kExactIntegers &&
      exponent >= -kExactPowers && exponent <= kExactPowers) {
    const double integer = static_cast<double>(digits);
    const double size = exponent < 0 ? integer / kPowers[-exponent] : integer * kPowers[exponent];
    *value = negative ? -size : size;
    return at;
  }
  return parse_slowly(begin, at, value) ? at : nullptr;
}

// A label's cell, quoted or not, without the spaces around it; where it ends, or NULL.
const char* parse_label(const char* at, const char** begin, uint32_t* length) {
  const char* start = skip_spaces(at);
  *begin = start;
  if (*start == '"') {
    if (start != at) {
      return nullptr;  // a quote that is not first is a character of the name
    }
    for (at = start + 1; *at != '"' || at[1] == '"'; ++at) {
      if (static_cast<unsigned char>(*at) < ' ') {
        return nullptr;
      }
      at += *at == '"';
    }
    ++at;
    *length = static_cast<uint32_t>(at - start);
    return at;
  }
  for (at = start; *at != ',' && !at_line_end(at); ++at) {
    if ((static_cast<unsigned char>(*at) < ' ' && *at != '\t') || *at == '"') {
      return nullptr;
    }
  }
  const char* end = at;
  while (end > start && is_space(end[-1])) {
    --end;
  }
  *length = static_cast<uint32_t>(end - start);
  return at;
}

// A comment from its # on; its line's end, or NULL if there is more than ASCII in it.
const char* parse_comment(const char* at, bool* is_gap) {
  const char* word = skip_spaces(at + 1);
  *is_gap = (word[0] | 0x20) == 'g' && (word[1] | 0x20) == 'a' && (word[2] | 0x20) == 'p' &&
            at_line_end(skip_spaces(word + 3));
  for (; !at_line_end(at); ++at) {
    const unsigned char c = static_cast<unsigned char>(*at);
    if ((c < ' ' && c != '\t') || c >= 0x80) {
      return nullptr;
    }
  }
  return at;
}

}  // namespace

void tinyol_csv_read(const char* text, uint64_t length, uint32_t n_columns, int label_column,
                     double* numbers, uint64_t max_rows, tinyol_csv_mark* marks, uint64_t max_marks,
                     tinyol_csv_read_state* state) {
  const char* at = text;
  const char* const stop = text + length;
  const char* label_before = nullptr;
  uint32_t length_before = 0;
  memset(state, 0, sizeof *state);
  while (at < stop && state->rows < max_rows && state->marks + 1 < max_marks) {
    const char* line = at;
    const char* cell = skip_spaces(at);
    if (*cell == '#') {
      bool is_gap = false;
      at = parse_comment(cell, &is_gap);
      if (at != nullptr && is_gap) {
        marks[state->marks++] = {state->rows, 0, 0, 1};
      }
    } else if (at_line_end(cell)) {
      at = cell;
    } else {
      at = line;
      const char* label = nullptr;
      uint32_t label_length = 0;
      for (uint32_t column = 0; column < n_columns; ++column) {
        if (static_cast<int>(column) == label_column) {
          at = parse_label(at, &label, &label_length);
        } else {
          at = parse_number(skip_spaces(at), numbers++);
        }
        if (at == nullptr) {
          break;
        }
        at = skip_spaces(at);
        const bool last = column + 1 == n_columns;
        if (last ? !at_line_end(at) : *at != ',') {
          at = nullptr;
          break;
        }
        at += !last;
      }
      if (at != nullptr) {
        if (label != nullptr && (label_before == nullptr || label_length != length_before ||
                                 memcmp(label, label_before, label_length) != 0)) {
          marks[state->marks++] = {state->rows, static_cast<uint64_t>(label - text), label_length,
                                   0};
        }
        label_before = label;
        length_before = label_length;
        ++state->rows;
      }
    }
    if (at == nullptr) {
      state->odd = 1;
      return;
    }
    at += *at == '\r' ? 2 : 1;
    ++state->lines;
    state->used = static_cast<uint64_t>(at - text);
  }
}
