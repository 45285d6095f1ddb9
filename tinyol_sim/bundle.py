"""The model bundle: one file with all that a device, its twin and a person need of a model.

A .tinyol file is a zip archive of
    manifest.json   format version, model id, settings, taps, provenance (how it was made)
    model.tflite    the frozen net, its taps among the graph outputs: what TFLM runs
    model.bin       the model image: what the device reads (docs/state-image.md)
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from .errors import BundleError, ModelError, TinyOLError
from .files import write_whole
from .frozen_net.golden_vectors import GoldenVectors, golden_vectors
from .frozen_net.net_compiler import MAGIC as NET_MAGIC
from .frozen_net.net_compiler import VERSION as NET_VERSION
from .frozen_net.net_compiler import compile_net
from .frozen_net.tflite_model import read_tflite, with_outputs
from .frozen_net.tflite_taps import Taps, find_taps, last_layer
from .model_image import (
    MAGIC,
    HeadStart,
    Pipeline,
    model_id_of,
    pack_model_image,
    read_sections,
    settings_from_bytes,
    settings_to_bytes,
)
from .normal_start import NormalStart, feature_len
from .text import one_line

FORMAT = "tinyol-bundle"
FORMAT_VERSION = 1
MANIFEST, TFLITE, IMAGE = "manifest.json", "model.tflite", "model.bin"
SECTIONS = ("PIPE", "LIMS", "NETB", "RECO", "SETT", "NORM", "TEST")
MAX_MEMBER_BYTES = 64 << 20
# One date for every bundle, so that equal contents are equal files.
_DATE = (1980, 1, 1, 0, 0, 0)
# Of a sensor's rate; firmware/boards/nano33ble/src/sensor_watch.cpp has the same.
SENSOR_TOLERANCE = 0.02
DEFAULT_BUNDLES = {119.0: "fan-119hz.tinyol", 100.0: "fan-100hz.tinyol"}


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model with everything around it; immutable."""

    tflite: bytes
    model_image: bytes
    model_id: str  # 16 hex digits
    pipeline: Pipeline
    taps: Taps  # tensor indices in `tflite`
    normal: NormalStart
    settings: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        tflite: bytes,
        pipeline: Pipeline,
        *,
        settings: Mapping[str, float] | None = None,
        provenance: Mapping[str, Any] | None = None,
        taps: Taps | None = None,
        normal: NormalStart | None = None,
    ) -> Bundle:
        """Makes a bundle of a .tflite autoencoder.

        Args:
            tflite: the model; its taps need not be graph outputs yet.
            pipeline: window settings; its window must have the net's input length.
            settings: start values that differ from the device's defaults.
            provenance: how the model was made, as JSON-able values.
            taps: tensor indices, where they cannot be found by the net's shape.
            normal: what normal was in training; None: not known.

        Raises:
            ModelError: the net has an operator or type that the target does not run.
            BundleError: net and pipeline do not fit each other.
        """
        model = read_tflite(tflite)
        taps = find_taps(model) if taps is None else taps
        net_inputs = model.tensors[model.inputs[0]].length
        if net_inputs != pipeline.n_inputs:
            raise BundleError(
                f"the net takes {net_inputs} values but a window has {pipeline.n_inputs} "
                f"({pipeline.window_len} samples x {pipeline.n_channels} channels)"
            )
        layer = last_layer(model, taps)
        chosen = dict(settings or {})
        chosen.setdefault("reconstruction.loss", 1.0 if layer.activation == "sigmoid" else 0.0)
        blob = compile_net(model, taps)
        embedding_len = model.tensors[taps.embedding].length
        if normal is None:
            normal = NormalStart.unknown(pipeline.features, embedding_len)
        _check_normal(normal, pipeline, embedding_len)
        image = pack_model_image(
            pipeline,
            blob,
            HeadStart(layer.weights, layer.bias),
            chosen,
            normal,
            golden_vectors(model, taps, blob),
        )
        model_id, sections = read_sections(image, MAGIC, "model image")
        return cls(
            tflite=with_outputs(tflite, [taps.embedding, taps.hidden, taps.reconstruction]),
            model_image=image,
            model_id=model_id,
            # Through the image, so that what is shown is what the device computes with.
            pipeline=Pipeline.from_bytes(sections["PIPE"], sections["LIMS"]),
            taps=taps,
            normal=normal,
            settings=settings_from_bytes(sections["SETT"]),
            provenance=dict(provenance or {}),
        )

    def fits_sensor(self, sensor_hz: float) -> bool:
        """Whether it was made for a sensor of that rate, as a board decides it."""
        return abs(self.pipeline.rate_hz - sensor_hz) <= SENSOR_TOLERANCE * sensor_hz

    def save(self, path: str | Path) -> None:
        """Writes the bundle; equal bundles give equal files."""
        manifest = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "model_id": self.model_id,
            "taps": asdict(self.taps),
            "settings": self.settings,
            "provenance": self.provenance,
        }
        members = {
            MANIFEST: (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode(),
            TFLITE: self.tflite,
            IMAGE: self.model_image,
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                info = zipfile.ZipInfo(name, _DATE)
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, content)
        write_whole(Path(path), buffer.getvalue(), BundleError)

    @classmethod
    def load(cls, path: str | Path) -> Bundle:
        """Reads a bundle back and checks that its parts belong together.

        Raises:
            BundleError: truncated, foreign, damaged or inconsistent; names the file and part.
        """
        try:
            raw = Path(path).read_bytes()
        except OSError as error:
            raise BundleError(f"{path}: cannot be read: {error.strerror}") from None
        try:
            return cls.from_bytes(raw)
        except TinyOLError as error:
            raise BundleError(f"{path}: {error}") from None

    @classmethod
    def from_bytes(cls, raw: bytes) -> Bundle:
        """The same from a file's content."""
        if raw[4:8] == b"TFL3":
            raise BundleError(
                "this is a .tflite model, not a bundle: `tinyol model import` makes one of it"
            )
        members = _read_archive(raw)
        manifest = _read_manifest(members[MANIFEST])
        model_id, sections = read_sections(members[IMAGE], MAGIC, "model image")
        missing = [tag for tag in SECTIONS if tag not in sections]
        if missing or len(sections) != len(SECTIONS):
            found = one_line(", ".join(sections)) or "none"
            raise BundleError(f"model.bin has sections {found}; it needs {', '.join(SECTIONS)}")
        _check_net_version(sections["NETB"])
        if not model_id == model_id_of(sections) == manifest["model_id"]:
            raise BundleError(
                f"the model ids do not agree: {one_line(manifest['model_id'])} in the manifest, "
                f"{model_id} in model.bin, whose sections have {model_id_of(sections)}"
            )
        try:
            taps = Taps(**{name: int(value) for name, value in manifest["taps"].items()})
            model = read_tflite(members[TFLITE], TFLITE)
            blob = compile_net(model, taps)
        except (TypeError, ValueError, OverflowError):
            raise BundleError("the manifest's taps are malformed") from None
        except ModelError as error:
            raise BundleError(str(error)) from None
        if sections["NETB"] != blob:
            raise BundleError("model.tflite and model.bin do not hold the same net")
        golden = GoldenVectors.from_bytes(sections["TEST"])
        if golden != golden_vectors(model, taps, blob, golden.seed, golden.count):
            raise BundleError("the golden vectors in model.bin are not those of its net")
        settings = settings_from_bytes(sections["SETT"])
        if settings_to_bytes(manifest["settings"]) != sections["SETT"]:
            raise BundleError("the manifest and model.bin do not have the same settings")
        pipeline = Pipeline.from_bytes(sections["PIPE"], sections["LIMS"])
        normal = NormalStart.from_bytes(sections["NORM"])
        _check_normal(normal, pipeline, model.tensors[taps.embedding].length)
        return cls(
            tflite=members[TFLITE],
            model_image=members[IMAGE],
            model_id=model_id,
            pipeline=pipeline,
            taps=taps,
            normal=normal,
            settings=settings,
            provenance=dict(manifest["provenance"]),
        )


def _check_net_version(blob: bytes) -> None:
    """A net of another layout is a good one of another release, and not damaged."""
    if blob[:4] == NET_MAGIC and len(blob) >= 6:
        version = int.from_bytes(blob[4:6], "little")
        if version != NET_VERSION:
            raise BundleError(
                f"the net in model.bin has version {version} of its layout, and this release of"
                f" tinyol reads {NET_VERSION}: make the bundle anew, with `tinyol train` from its"
                " recordings or with `tinyol model import` from the model.tflite in it"
            )


def _check_normal(normal: NormalStart, pipeline: Pipeline, embedding_len: int) -> None:
    d = sum(feature_len(name, embedding_len) for name in pipeline.features)
    if len(normal.prior) != d:
        raise BundleError(
            f"{len(normal.prior)} prior variances, but the features {', '.join(pipeline.features)}"
            f" are {d} numbers"
        )


def _read_archive(raw: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = {}
            for name in (MANIFEST, TFLITE, IMAGE):
                if archive.getinfo(name).file_size > MAX_MEMBER_BYTES:
                    raise BundleError(f"{name} in it is larger than {MAX_MEMBER_BYTES} bytes")
                members[name] = archive.read(name)
            return members
    except KeyError as error:
        raise BundleError(f"not a TinyOL bundle: {error.args[0]}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError):
        raise BundleError("not a TinyOL bundle, or a truncated or damaged one") from None


def _read_manifest(raw: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"manifest.json in it is not JSON: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError("not a TinyOL bundle: the manifest is of another format")
    if manifest.get("version") != FORMAT_VERSION:
        raise BundleError(
            f"bundle version {manifest.get('version')}; this program reads {FORMAT_VERSION}"
        )
    for name, kind in (("model_id", str), ("taps", dict), ("settings", dict), ("provenance", dict)):
        if not isinstance(manifest.get(name), kind):
            raise BundleError(f"the manifest's {name} is missing or malformed")
    return manifest


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def default_bundle(rate_hz: float = 119.0) -> Bundle:
    """The small fan model that ships with the package, for a board's sampling rate."""
    if rate_hz not in DEFAULT_BUNDLES:
        rates = " and ".join(f"{rate:g}" for rate in DEFAULT_BUNDLES)
        raise BundleError(f"no model ships for {rate_hz:g} Hz, only for {rates} Hz")
    name = DEFAULT_BUNDLES[rate_hz]
    return Bundle.from_bytes((resources.files("tinyol_sim") / "data" / name).read_bytes())
