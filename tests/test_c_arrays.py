"""`tinyol model export`: a bundle as C++ for a firmware, whichever way its frozen net runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from emulator_cases import float32_bundle
from native_build import FLAGS, REPO, any_compiler
from random_nets import autoencoder
from small_models import int8_bundle
from tflm_device import includes

from tinyol_host.cli import main as tinyol
from tinyol_sim.bundle import Bundle
from tinyol_sim.c_arrays import write_c_arrays
from tinyol_sim.model_image import Pipeline

FILES = ("model_data.h", "model_data.cpp", "model_tflite.h", "model_tflite.cpp", "model_flags.txt")


def per_channel_bundle() -> Bundle:
    model = autoencoder((8, 6, 2, 5, 8), per_channel=True)
    return Bundle.create(model, Pipeline(rate_hz=50.0, window_len=8))


def compiled(folder: Path, choice: int, *more: str) -> subprocess.CompletedProcess[str]:
    """model_tflite.cpp as a board compiles it that has chosen TFLM (1) or not (0)."""
    (folder / "frozen_choice.h").write_text(f"#define TINYOL_FROZEN_TFLM {choice}\n")
    command = [*any_compiler().command, *FLAGS, "-Werror", f"-I{folder}", *more]
    source = folder / "model_tflite.cpp"
    return subprocess.run(
        [*command, "-c", source, "-o", folder / "model.o"], capture_output=True, text=True
    )


def test_the_command_names_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tinyol(["model", "export", "--to", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert all(name in told and (tmp_path / name).is_file() for name in FILES)
    assert tinyol(["model", "export", "--help"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in ("model_data.h", "model_tflite.h", "model_flags.txt"))


def test_the_tflite_is_in_it_byte_for_byte(tmp_path: Path) -> None:
    bundle = int8_bundle()
    write_c_arrays(bundle, tmp_path)
    text = (tmp_path / "model_tflite.cpp").read_text()
    lines = re.findall(r"^    (0x.*),$", text, re.MULTILINE)
    assert bytes(int(word, 16) for line in lines for word in line.split(", ")) == bundle.tflite
    header = (tmp_path / "model_tflite.h").read_text()
    assert f"kModelTfliteBytes = {len(bundle.tflite)};" in header
    assert "alignas(16) const uint8_t kModelTflite" in text
    assert re.findall(r"->Add(\w+)\(\)", text) == ["FullyConnected"]


def test_tflms_headers_are_needed_for_tflm_alone(tmp_path: Path) -> None:
    write_c_arrays(int8_bundle(), tmp_path)
    assert compiled(tmp_path, 0).returncode == 0
    assert "micro_op_resolver.h" in compiled(tmp_path, 1).stderr
    core = f"-I{REPO / 'firmware/lib/tinyol/src'}"
    assert compiled(tmp_path, 1, core, *includes()).stderr == ""


@pytest.mark.parametrize(
    ("bundle", "words"),
    [(float32_bundle, "computes in float32"), (per_channel_bundle, "6 scales (one a channel)")],
)
def test_a_model_that_is_not_for_tflm_stops_that_build_alone(
    tmp_path: Path, bundle: Callable[[], Bundle], words: str
) -> None:
    """TFLM would compute something else than the golden vectors expect."""
    write_c_arrays(bundle(), tmp_path)
    assert compiled(tmp_path, 0).returncode == 0
    stopped = compiled(tmp_path, 1, *includes())
    assert stopped.returncode != 0
    assert words in stopped.stderr
    assert "-D TINYOL_FROZEN=kernels" in stopped.stderr
