"""firmware/test: the core's own unit tests, which PlatformIO runs as `pio test -e native`.

Here they are compiled against tests/stubs/unity, with the core in the capacities that somebody
gets who sets none.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from native_build import FLAGS, REPO, any_compiler, build, sources_of_core

from tinyol_sim import _build

SUITES = REPO / "firmware" / "test"
UNITY = REPO / "tests" / "stubs" / "unity"
NAMES = sorted(path.name for path in SUITES.glob("test_*"))
PASSED = re.compile(r"^(?P<file>[^:]+):\d+:(?P<test>test_\w+):PASS$", re.MULTILINE)

BROKEN = """\
#include <unity.h>
void setUp() {}
void tearDown() {}
static void test_good() { TEST_ASSERT_EQUAL_INT(4, 2 + 2); }
static void test_bad() {
  TEST_ASSERT_EQUAL_INT(5, 2 + 2);
  TEST_FAIL_MESSAGE("came further than the first failure");
}
int main() {
  UNITY_BEGIN();
  RUN_TEST(test_bad);
  RUN_TEST(test_good);
  return UNITY_END();
}
"""
# A failing call of each assertion that the stub has.
FAILING = [
    'TEST_FAIL_MESSAGE("always")',
    "TEST_ASSERT_TRUE(1 > 2)",
    'TEST_ASSERT_TRUE_MESSAGE(1 > 2, "two is more")',
    "TEST_ASSERT_FALSE(2 > 1)",
    'TEST_ASSERT_NULL("text")',
    "TEST_ASSERT_EQUAL_INT(-1, 1)",
    'TEST_ASSERT_EQUAL_INT_MESSAGE(0, 1, "not one")',
    "TEST_ASSERT_EQUAL_UINT32(4294967295u, 0)",
    "TEST_ASSERT_EQUAL_HEX32(0xFFu, 0xFEu)",
    'TEST_ASSERT_EQUAL_STRING("a", "b")',
    'TEST_ASSERT_EQUAL_MEMORY("abc", "abd", 3)',
    "TEST_ASSERT_FLOAT_WITHIN(0.1f, 1.0f, 1.2f)",
    "TEST_ASSERT_FLOAT_WITHIN(0.1f, 1.0f, NAN)",
    "TEST_ASSERT_EQUAL_FLOAT(1.0f, 1.0001f)",
]


def compile_test(source: Path, target: Path, *libraries: Path) -> Path:
    compiler = any_compiler()
    command = [*compiler.command, *FLAGS, "-Werror", f"-I{REPO / _build.CORE}", f"-I{UNITY}"]
    command += [str(source), "-o", str(target), *map(str, libraries)]
    command += [f"-Wl,-rpath,{library.parent}" for library in libraries]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def run(program: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program)], capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def core() -> Path:
    return build(any_compiler(), "libtinyol.so", sources_of_core(), ["-O1"], capacities={})


@pytest.mark.parametrize("name", NAMES)
def test_suite(name: str, core: Path, tmp_path: Path) -> None:
    source = SUITES / name / f"{name}.cpp"
    done = run(compile_test(source, tmp_path / name, core))
    assert done.returncode == 0, done.stdout
    passed = [match["test"] for match in PASSED.finditer(done.stdout)]
    text = source.read_text()
    # One that was written and never called would pass unnoticed.
    assert passed == re.findall(r"^void (test_\w+)\(\)", text, re.MULTILINE)
    assert f"{len(passed)} Tests 0 Failures 0 Ignored" in done.stdout


def test_there_is_a_suite_for_each_folder() -> None:
    assert len(NAMES) >= 15
    for name in NAMES:
        assert [path.name for path in (SUITES / name).iterdir()] == [f"{name}.cpp"]


def test_a_failed_assertion_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "broken.cpp"
    source.write_text(BROKEN)
    done = run(compile_test(source, tmp_path / "broken"))
    assert done.returncode == 1
    assert f"{source}:6:test_bad:FAIL: Expected 5 Was 4\n" in done.stdout
    assert "came further" not in done.stdout
    assert [match["test"] for match in PASSED.finditer(done.stdout)] == ["test_good"]
    assert "2 Tests 1 Failures 0 Ignored" in done.stdout


def test_every_assertion_of_the_stub_can_fail(tmp_path: Path) -> None:
    tests = "".join(f"static void test_{i}() {{ {call}; }}\n" for i, call in enumerate(FAILING))
    runs = "".join(f"  RUN_TEST(test_{i});\n" for i in range(len(FAILING)))
    source = tmp_path / "failing.cpp"
    source.write_text(
        f"#include <unity.h>\nvoid setUp() {{}}\nvoid tearDown() {{}}\n{tests}"
        f"int main() {{\n  UNITY_BEGIN();\n{runs}  return UNITY_END();\n}}\n"
    )
    done = run(compile_test(source, tmp_path / "failing"))
    assert done.returncode == len(FAILING)
    assert done.stdout.count(":FAIL: ") == len(FAILING)
    has = set(re.findall(r"#define (TEST_\w+)", (UNITY / "unity.h").read_text()))
    assert {call.partition("(")[0] for call in FAILING} == has
