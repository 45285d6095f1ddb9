// The table of classes: names, their rules, and that a removed class leaves no hole.
#include <string.h>
#include <unity.h>

#include "../status_asserts.h"
#include "tinyol/class_table.h"

using tinyol::ByteReader;
using tinyol::ByteWriter;
using tinyol::check_class_name;
using tinyol::ClassTable;
using tinyol::Refusal;
using tinyol::Status;

namespace {

ClassTable table;

uint32_t length_of(const char* name) {
  return static_cast<uint32_t>(strlen(name));
}

Status add(const char* name, Refusal* refusal = nullptr) {
  uint16_t index = 0;
  return table.add(name, length_of(name), &index, refusal);
}

int find(const char* name) {
  return table.find(name, length_of(name));
}

void test_classes_are_found_in_the_order_of_adding() {
  uint16_t index = 99;
  ASSERT_STATUS(kOk, table.add("normal", 6, &index));
  TEST_ASSERT_EQUAL_INT(0, index);
  ASSERT_STATUS(kOk, table.add("stuck", 5, &index));
  TEST_ASSERT_EQUAL_INT(1, index);
  TEST_ASSERT_EQUAL_INT(1, find("stuck"));
  TEST_ASSERT_EQUAL_INT(-1, find("stuc"));
  TEST_ASSERT_EQUAL_STRING("normal", table.names[0]);
}

void test_a_name_is_there_once() {
  ASSERT_STATUS(kOk, add("normal"));
  Refusal refusal;
  add("normal", &refusal);
  ASSERT_REFUSED(kExists, "class name", refusal);
  ASSERT_STATUS(kOk, add("Normal"));
  ASSERT_STATUS(kExists, table.rename(1, "normal", 6));
  ASSERT_STATUS(kOk, table.rename(1, "Normal", 6));  // to what it is already
  TEST_ASSERT_EQUAL_INT(2, table.size);
}

void test_a_full_table_says_how_full() {
  ASSERT_STATUS(kOk, add("a"));
  ASSERT_STATUS(kOk, add("b"));
  ASSERT_STATUS(kOk, add("c"));
  Refusal refusal;
  add("d", &refusal);
  ASSERT_REFUSED(kFull, "classes", refusal);
  TEST_ASSERT_EQUAL_UINT32(4, refusal.need);
  TEST_ASSERT_EQUAL_UINT32(3, refusal.have);
}

void test_names() {
  ASSERT_STATUS(kOk, check_class_name("fifteen letters", 15));
  ASSERT_STATUS(kBadName, check_class_name("sixteen letters!", 16));
  ASSERT_STATUS(kBadName, check_class_name("", 0));
  ASSERT_STATUS(kOk, check_class_name("l\xC3\xA4uft", 6));       // a umlaut
  ASSERT_STATUS(kBadName, check_class_name("l\xC3", 2));         // half of it
  ASSERT_STATUS(kBadName, check_class_name("\xC0\xAF", 2));      // overlong
  ASSERT_STATUS(kBadName, check_class_name("\xED\xA0\x80", 3));  // a surrogate
  ASSERT_STATUS(kBadName, check_class_name("two\nlines", 9));
  ASSERT_STATUS(kBadName, check_class_name("red\x1B[31m", 8));
  ASSERT_STATUS(kBadName, check_class_name("a\xE2\x80\xAE"
                                           "b",
                                           5));  // turns the writing round
}

void test_those_behind_a_removed_class_move_up() {
  add("a");
  add("b");
  add("c");
  ASSERT_STATUS(kOk, table.remove(1));
  TEST_ASSERT_EQUAL_INT(2, table.size);
  TEST_ASSERT_EQUAL_INT(1, find("c"));
  TEST_ASSERT_EQUAL_INT(-1, find("b"));
  TEST_ASSERT_EQUAL_STRING("", table.names[2]);
  ASSERT_STATUS(kNotFound, table.remove(2));
  ASSERT_STATUS(kNotFound, table.rename(2, "x", 1));
}

void test_written_and_read_again() {
  add("normal");
  add("stuck");
  uint8_t bytes[4 + 2 * 16];
  ByteWriter out(bytes, sizeof(bytes));
  table.write(&out);
  TEST_ASSERT_TRUE(out.ok());
  TEST_ASSERT_EQUAL_UINT32(sizeof(bytes), out.length());

  ClassTable again;
  uint16_t count = 0;
  ByteReader in(bytes, sizeof(bytes));
  ASSERT_STATUS(kOk, ClassTable::read(&in, 3, &again, &count, nullptr));
  TEST_ASSERT_EQUAL_INT(2, count);
  TEST_ASSERT_EQUAL_STRING("stuck", again.names[1]);

  bytes[15] = 'x';  // behind the zero that ends "normal"
  ByteReader dirty(bytes, sizeof(bytes));
  ASSERT_STATUS(kBadName, ClassTable::read(&dirty, 3, nullptr, &count, nullptr));
  ByteReader few(bytes, sizeof(bytes));
  ASSERT_STATUS(kFull, ClassTable::read(&few, 1, nullptr, &count, nullptr));
}

}  // namespace

void setUp() {
  table = ClassTable();
  table.limit = 3;
}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_classes_are_found_in_the_order_of_adding);
  RUN_TEST(test_a_name_is_there_once);
  RUN_TEST(test_a_full_table_says_how_full);
  RUN_TEST(test_names);
  RUN_TEST(test_those_behind_a_removed_class_move_up);
  RUN_TEST(test_written_and_read_again);
  return UNITY_END();
}
