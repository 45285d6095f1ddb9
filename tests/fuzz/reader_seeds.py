"""Files as people have them: what the readers' fuzzing begins with."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from image_seeds import net_of_all_operators, states_of
from mutations import archive_of
from random_nets import autoencoder
from small_models import LENGTHS, float_bundle, float_net, int8_bundle, vibration

from tinyol_sim.commands import AddClass, Calibrate, FineTune, Label, Relearn, SetSetting
from tinyol_sim.recording_formats import edge_impulse, npz, tinyol_csv
from tinyol_sim.recordings import Recording
from tinyol_sim.session_record import SessionRecord
from tinyol_sim.twin import Twin


def a_recording(n: int = 24) -> Recording:
    return Recording(
        vibration(n),
        100.0,
        np.repeat([-1, 0, 1], n // 3),
        ("normal", "größer"),
        np.array([5, 9]),
        "seed",
    )


def csv_seeds() -> list[bytes]:
    table = "0.1,0.2,1.0\n" * 6
    timed = "".join(f"{at * 10},{at},0,-9.8\n" for at in range(8))
    return [
        tinyol_csv.to_bytes(a_recording()),
        table.encode(),
        ("x,y,z\n" + table).encode(),
        ("# rate_hz: 100\n# units: m/s2\nx,y,z\n" + table).encode(),
        ("timestamp,accX,accY,accZ\n" + timed).encode(),
        ("time_s;x;y;z\n" + timed).replace(",", ";").encode(),
        ("\ufeffx,y,z,label\r\n" + "1,2,3,a\r\n" * 4 + "1,2,3,\r\n").encode(),
    ]


def labels_seeds() -> list[bytes]:
    return [
        b"start_s,stop_s,label\n0,0.5,normal\n0.7,1.25,off\n",
        'start_s,stop_s,label\n# a word\n\n0,1,"größer"\n'.encode(),
        b"start_s,stop_s,label\n",
    ]


def session_of(bundle_twin: Twin) -> bytes:
    session = SessionRecord(
        model_id="0123456789abcdef",
        board="sim",
        rate_hz=100.0,
        start=bundle_twin.state,
        end=bundle_twin.state,
        samples=vibration(20),
        gaps=np.array([3, 4]),
        commands=(
            (0, AddClass("a")),
            (0, SetSetting("classifier.l2", 0.5)),
            (2, Label("a", 5)),
            (9, Relearn("a", 3)),
            (9, Calibrate(40, 10)),
            (20, FineTune(None)),
        ),
        labels=np.repeat([-1, 0], 10),
        label_names=("a",),
        meta={"made_by": "a seed"},
    )
    with TemporaryDirectory() as scratch:
        session.save(Path(scratch, "session"))
        files = sorted(Path(scratch, "session").iterdir())
        return archive_of({path.name: path.read_bytes() for path in files})


def bundle_bytes(bundle: object) -> bytes:
    with TemporaryDirectory() as scratch:
        path = Path(scratch, "seed.tinyol")
        bundle.save(path)  # type: ignore[attr-defined]
        return path.read_bytes()


def edge_impulse_seeds() -> list[bytes]:
    plain = Recording(vibration(9), 100.0, np.full(9, -1), (), np.empty(0, np.int64), "plain")
    return [edge_impulse.to_bytes(plain)]


READER_SEEDS = {
    "csv": csv_seeds,
    "labels": labels_seeds,
    "edge-impulse": edge_impulse_seeds,
    "npz": lambda: [npz.to_bytes(a_recording()), npz.to_bytes(a_recording(12))],
    "bundle": lambda: [
        bundle_bytes(bundle) for bundle in (int8_bundle(), float_bundle(float_net()))
    ],
    "tflite": lambda: [
        autoencoder(LENGTHS),
        autoencoder(LENGTHS, sigmoid=True, per_channel=True),
        float_bundle(float_net()).tflite,
        net_of_all_operators(),
    ],
    "state": lambda: states_of(Twin(int8_bundle()))[2:],
    "session": lambda: [session_of(Twin(int8_bundle()))],
}
