"""The frozen net in TFLM's interpreter: what the check refuses, and that its taps reach the core.

Compiled on stubs of TFLM (tests/stubs/tflm), behind which the project's own kernels compute.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from emulator_cases import float32_bundle, int8_bundle
from native_build import any_compiler, build, compilers
from random_nets import autoencoder, random_int8_net
from small_models import int8_bundle as small_bundle
from small_models import vibration
from tflite_builder import ModelBuilder
from tflm_device import FLAGS, TFLM_NET, TflmDevice, includes, sources, stamp

from tinyol_sim.bundle import DEFAULT_BUNDLES, Bundle, default_bundle
from tinyol_sim.frozen_net.net import TAPS
from tinyol_sim.frozen_net.tflite_model import find_taps, read_tflite, with_outputs
from tinyol_sim.tflm_arena import tflm_arena_bytes
from tinyol_sim.twin import Twin

pytestmark = pytest.mark.skipif(not compilers(), reason="no C++ compiler: neither g++ nor clang++")
BAD_VALUE, TOO_SMALL, BAD_VERSION, UNSUPPORTED, MALFORMED = -6, -7, -10, -14, -15
NewDevice = Callable[[Bundle], TflmDevice]


@pytest.fixture
def new_device(tmp_path: Path) -> NewDevice:
    return lambda bundle: TflmDevice(bundle, tmp_path)


@pytest.fixture(scope="module")
def check_program() -> Path:
    """check_tflite() on its own, built to stop at undefined behaviour."""
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fexceptions"]
    parts = sources(TFLM_NET)
    parts.remove(f"{TFLM_NET}/tflm_net/tflm_net.cpp")
    return build(
        any_compiler(),
        "check_tflite",
        ["firmware/lib/tinyol/src/tinyol/status.cpp", *parts, "tests/native/check_tflite.cpp"],
        [*FLAGS, *sanitizers, *includes(), stamp()],
    )


def with_taps(model: bytes) -> bytes:
    """The model with the outputs that a bundle gives it."""
    taps = find_taps(read_tflite(model))
    return with_outputs(model, [taps.embedding, taps.hidden, taps.reconstruction])


def with_three_outputs(model: bytes) -> bytes:
    """The same for a model that is no autoencoder: whatever it writes."""
    written = [operator.outputs[0] for operator in read_tflite(model).operators]
    return with_outputs(model, [written[0], written[len(written) // 2], written[-1]])


def place_of_field(table: Any, slot: int) -> int:
    """Where in the file a field of a table lies."""
    offset = table._tab.Offset(4 + 2 * slot)
    assert offset
    return int(table._tab.Pos + offset)


def patched(model: bytes, place: int, kind: str, value: int) -> bytes:
    changed = bytearray(model)
    struct.pack_into(kind, changed, place, value)
    return bytes(changed)


# --- what is computed --------------------------------------------------------------------------


def test_the_taps_reach_the_core(new_device: NewDevice) -> None:
    """Samples, labels and fine-tuning end in the state image of the twin."""
    bundle = small_bundle()
    device, twin = new_device(bundle), Twin(bundle)
    device.begin()
    samples = vibration(900)
    for number, name in enumerate(("slow", "fast", "faint")):
        twin.add_class(name)
        assert device.lib.tflm_add_class(name.encode()) == 0
        twin.label(name)
        assert device.lib.tflm_label(number) == 0
        if number == 1:
            twin.fine_tune(None)
            assert device.lib.tflm_fine_tune() == 0
        part = samples[300 * number : 300 * (number + 1)]
        assert device.push(part) == len(twin.feed(part))
    assert device.stub.invocations > 200
    assert device.state() == twin.state


@pytest.mark.parametrize("tap", TAPS)
def test_golden_vectors_fail_where_one_byte_is_wrong(new_device: NewDevice, tap: str) -> None:
    device = new_device(small_bundle())
    device.begin()
    expected, found = device.self_test()
    assert expected == found
    device.stub.flip = (tap, 0)
    assert device.self_test()[1] != expected
    device.stub.flip, device.stub.fails = None, True
    assert device.self_test()[1] != expected
    device.stub.fails = False
    assert device.self_test() == (expected, expected)


def test_nothing_runs_before_a_model_is_loaded(new_device: NewDevice) -> None:
    device = new_device(small_bundle())
    assert device.lib.tflm_arena_used() == 0
    assert device.load(b"no model at all")[:2] == (MALFORMED, "tflite")
    assert device.push(vibration(40)) == 0


# --- what is refused ---------------------------------------------------------------------------


def test_a_linked_model_fits_its_arena(new_device: NewDevice) -> None:
    device = new_device(small_bundle())
    assert device.load_linked()[0] == 0
    need = tflm_arena_bytes(read_tflite(device.bundle.tflite))
    assert 0 < device.lib.tflm_arena_used() <= need
    assert device.load(device.bundle.tflite, arena_bytes=need)[0] == 0
    refused = device.load(device.bundle.tflite, arena_bytes=need - 1)
    assert refused == (TOO_SMALL, "tflm arena", need, need - 1)
    assert device.lib.tflm_arena_used() == 0
    assert device.load(device.bundle.tflite)[0] == 0


def test_another_schema_version_is_refused(new_device: NewDevice) -> None:
    device = new_device(small_bundle())
    model = device.bundle.tflite
    place = place_of_field(tflite.Model.GetRootAs(model), 0)
    assert model[place] == 3
    assert device.load(patched(model, place, "<I", 4)) == (BAD_VERSION, "tflite schema", 3, 4)


def test_operators_that_the_build_does_not_have_are_named(new_device: NewDevice) -> None:
    device = new_device(small_bundle())  # FULLY_CONNECTED alone
    sigmoid = with_taps(autoencoder((8, 6, 2, 5, 8), sigmoid=True))
    assert device.load(sigmoid)[:2] == (UNSUPPORTED, "operator LOGISTIC")
    code = place_of_field(tflite.Model.GetRootAs(sigmoid).OperatorCodes(1), 3)
    for number, word in ((3, "LOGISTIC"), (32, "CUSTOM"), (150, "150"), (2**31 - 1, "2147483647")):
        changed = patched(sigmoid, code, "<i", number)  # beside the old field, which has 14
        assert device.load(changed)[:2] == (UNSUPPORTED, f"operator {word}")
    old = place_of_field(tflite.Model.GetRootAs(sigmoid).OperatorCodes(1), 0)
    changed = patched(patched(sigmoid, code, "<i", 0), old, "<b", 3)
    assert device.load(changed)[:2] == (UNSUPPORTED, "operator CONV_2D")


def test_per_channel_weights_are_refused(new_device: NewDevice) -> None:
    device = new_device(small_bundle())
    model = with_taps(autoencoder((8, 6, 2, 5, 8), per_channel=True))
    assert device.load(model)[:2] == (UNSUPPORTED, "per-channel weights")


@pytest.mark.parametrize(
    ("outputs", "told"),
    [((), 0), ((0, 1), 2), ((0, 1, 2, 2), 4)],
)
def test_the_outputs_must_be_the_three_taps(
    new_device: NewDevice, outputs: tuple[int, ...], told: int
) -> None:
    device = new_device(small_bundle())
    written = [operator.outputs[0] for operator in read_tflite(device.bundle.tflite).operators]
    model = with_outputs(device.bundle.tflite, [written[i] for i in outputs])
    assert device.load(model) == (UNSUPPORTED, "tflite outputs", 3, told)


def test_what_would_write_or_read_the_wrong_memory_is_refused(new_device: NewDevice) -> None:
    """Indices and shapes that TFLM itself would follow anywhere."""
    device = new_device(small_bundle())
    model = device.bundle.tflite
    graph = tflite.Model.GetRootAs(model).Subgraphs(0)
    layer, second = graph.Operators(0), graph.Operators(1)

    def load(place: int, kind: str, value: int) -> tuple[int, str]:
        return device.load(patched(model, place, kind, value))[:2]

    reads = layer._tab.Vector(layer._tab.Offset(6))
    writes = layer._tab.Vector(layer._tab.Offset(8))
    weights = layer.Inputs(1)
    for beyond in (graph.TensorsLength(), 2**31 - 1, -2):
        assert load(reads, "<i", beyond) == (MALFORMED, "tflite")
        assert load(writes, "<i", beyond) == (MALFORMED, "tflite")
    assert load(writes, "<i", weights) == (MALFORMED, "tflite operator 0")  # a constant
    assert load(writes, "<i", graph.Inputs(0)) == (MALFORMED, "tflite operator 0")
    assert load(reads, "<i", second.Outputs(0)) == (MALFORMED, "tflite operator 0")  # too early
    tensor = graph.Tensors(weights)
    shape = tensor._tab.Vector(tensor._tab.Offset(4))
    assert load(shape, "<i", 7) == (MALFORMED, f"tflite tensor {weights}")  # than it has values
    assert load(place_of_field(tensor, 2), "<I", 999) == (MALFORMED, f"tflite tensor {weights}")
    first = graph.Tensors(graph.Inputs(0))
    shape = first._tab.Vector(first._tab.Offset(4))
    assert load(shape + 4, "<i", 9) == (MALFORMED, "tflite operator 0")
    assert load(shape + 4, "<i", -8)[0] == MALFORMED
    assert load(shape, "<i", 2**30)[0] == MALFORMED
    assert load(place_of_field(first, 1), "<b", 7)[1].endswith(" of type 7")
    code = place_of_field(second, 0) if second._tab.Offset(4) else None
    assert code is None or load(code, "<I", 5) == (MALFORMED, "tflite")


def test_an_input_that_nothing_reads_is_refused(check_program: Path, tmp_path: Path) -> None:
    """TFLM would give it no memory, and the core would write to address 0."""
    builder = ModelBuilder()
    first = builder.tensor((1, 4), scale=0.5)
    constant = builder.tensor((1, 4), scale=0.5, data=np.ones(4))
    weights = builder.tensor((3, 4), scale=0.25, data=np.ones((3, 4)))
    last = builder.operator("FULLY_CONNECTED", [constant, weights], builder.tensor((1, 3), scale=1))
    told = ask(check_program, tmp_path, builder.finish([first], [last] * 3))
    assert " ".join(told) == f"refused {MALFORMED} tflite operator 0"


def test_memory_must_be_aligned(new_device: NewDevice) -> None:
    device = new_device(small_bundle())
    model = device.bundle.tflite
    assert device.load(model, shift=4) == (BAD_VALUE, "tflite alignment", 16, 0)
    assert device.load(model, arena_shift=8) == (BAD_VALUE, "tflm arena alignment", 16, 0)


def test_what_tflm_itself_refuses_is_told(new_device: NewDevice) -> None:
    device = new_device(small_bundle())
    device.stub.refuses = True
    assert device.load(device.bundle.tflite) == (UNSUPPORTED, "tflm", 0, 0)
    assert device.lib.tflm_arena_used() == 0
    device.stub.refuses = False
    assert device.load(device.bundle.tflite)[0] == 0


# --- the check on its own ----------------------------------------------------------------------


def ask(program: Path, folder: Path, model: bytes, changed: int = 0) -> list[str]:
    """What the check says of a model, and of copies of it with random bytes changed."""
    file = folder / "model.tflite"
    file.write_bytes(model)
    done = subprocess.run([program, file, str(changed)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_damaged_files_do_no_harm(check_program: Path, tmp_path: Path) -> None:
    """Cut off at every byte, and 20,000 copies with wrong bytes, under sanitizers."""
    found = ask(check_program, tmp_path, small_bundle().tflite, 20_000)
    assert found[::2] == ["needs", "accepted"]
    assert 1000 < int(found[3]) < 19_000  # another weight is another model, and no damage


def layer(
    activation: str = "NONE",
    weights_format: int = 0,
    rows: int = 1,
    bias_scale: Any = 0.125,
    **tensor: Any,
) -> bytes:
    """A FULLY_CONNECTED from 4 values to 3, thrice among the outputs; `tensor`: of its output."""
    builder = ModelBuilder()
    first = builder.tensor((rows, 4), scale=0.5)
    weights = builder.tensor((3, 4), scale=0.25, data=np.ones((3, 4)))
    bias = builder.tensor((3,), "INT32", scale=bias_scale, data=np.ones(3))
    last = builder.tensor(**{"shape": (rows, 3), "scale": 1.0, **tensor})
    builder.operator(
        "FULLY_CONNECTED",
        [first, weights, bias],
        last,
        activation=activation,
        weights_format=weights_format,
    )
    return builder.finish([first], [last] * 3)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "needs"),
        ({"shape": (3,)}, "needs"),
        ({"shape": (1, 1, 3)}, "needs"),
        ({"shape": (3, 1)}, f"refused {MALFORMED} tflite operator 0"),
        ({"shape": (1, 4)}, f"refused {MALFORMED} tflite operator 0"),
        ({"scale": 0.0}, f"refused {MALFORMED} tflite tensor 3"),
        ({"scale": None}, f"refused {MALFORMED} tflite tensor 3"),
        ({"scale": [1.0, 2.0, 3.0]}, f"refused {MALFORMED} tflite tensor 3"),
        ({"bias_scale": [0.125] * 200}, f"refused {MALFORMED} tflite tensor 2"),
        ({"zero_point": 128}, f"refused {MALFORMED} tflite tensor 3"),
        ({"kind": "INT16"}, f"refused {UNSUPPORTED} tensor 3 of type 7"),
        ({"kind": "FLOAT32"}, f"refused {MALFORMED} tflite operator 0"),
        ({"rows": 2}, f"refused {UNSUPPORTED} batch of rows"),
        ({"activation": "TANH"}, f"refused {UNSUPPORTED} fused activation"),
        ({"weights_format": 1}, f"refused {UNSUPPORTED} shuffled weights"),
        ({"is_variable": True}, f"refused {UNSUPPORTED} variable tensor"),
        ({"is_sparse": True}, f"refused {UNSUPPORTED} sparse tensor"),
    ],
)
def test_one_layer(check_program: Path, tmp_path: Path, options: dict[str, Any], told: str) -> None:
    assert " ".join(ask(check_program, tmp_path, layer(**options))).startswith(told)


def test_what_the_host_takes_the_device_takes(check_program: Path, tmp_path: Path) -> None:
    """Every operator, and the arena that the host writes into the firmware."""
    models, kinds = [bundle().tflite for bundle in (int8_bundle, float32_bundle)], set[str]()
    models += [default_bundle(rate).tflite for rate in DEFAULT_BUNDLES]
    models += [with_three_outputs(random_int8_net(seed, 2).model) for seed in range(45)]
    compared = 0
    for model in models:
        net = read_tflite(model)
        layers = [operator for operator in net.operators if operator.kind == "FULLY_CONNECTED"]
        found = ask(check_program, tmp_path, model)
        if any(len(net.tensors[layer.inputs[1]].scales) > 1 for layer in layers):
            assert " ".join(found) == f"refused {UNSUPPORTED} per-channel weights"
        else:
            assert found[:2] == ["needs", str(tflm_arena_bytes(net))]
            kinds |= {operator.kind for operator in net.operators}
            compared += 1
    assert compared > 10
    assert len(kinds) == 8


# The least arena in which TFLM itself (the fork for Arduino of 2023, CMSIS-NN, GCC -Os) allocated
# the model on an emulated Cortex-M4, in steps of 16 bytes.
LEAST_ARENA: list[tuple[str, Callable[[], bytes], int]] = [
    ("fan-119hz", lambda: default_bundle(119.0).tflite, 1404),
    ("four layers, small", lambda: small_bundle().tflite, 1404),
    ("LOGISTIC at its end", lambda: int8_bundle().tflite, 1544),
    ("float32, TANH", lambda: float32_bundle().tflite, 1684),
    ("one layer, QUANTIZE", lambda: with_three_outputs(random_int8_net(4, 2).model), 808),
    ("five operators", lambda: with_three_outputs(random_int8_net(12, 2).model), 1372),
]


@pytest.mark.parametrize(("name", "model", "least"), LEAST_ARENA)
def test_the_arena_is_large_enough_and_not_much_larger(
    name: str, model: Callable[[], bytes], least: int
) -> None:
    assert 1.2 * least <= tflm_arena_bytes(read_tflite(model(), name)) <= 1.7 * least


def test_the_arena_of_a_larger_net(real_data: Path) -> None:
    model = read_tflite((real_data / "mlperf-tiny-ad" / "ad01_int8.tflite").read_bytes())
    assert 1.2 * 2964 <= tflm_arena_bytes(model) <= 1.7 * 2964
