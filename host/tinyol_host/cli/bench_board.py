"""The half of `tinyol bench` that counts on an emulated Cortex-M4F."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

    from tinyol_sim.emulator.bench import Costs
    from tinyol_sim.emulator.counting import Instructions
    from tinyol_sim.emulator.net_bench import NetCost

OPTIONS = ("model", "machine", "compiler", "optimize")  # of the URI that have a say here
NOTE = """
instr.: instructions, counted exactly, a call; the median of the calls that were run. In the
windows three classes are taught; "3 x 5" is 3 classes and 5 features. cycles and us are estimates
from Arm's table of the Cortex-M4's instructions, at 64 MHz; most: us where every read of data in
flash waits, and every branch costs most (docs/performance.md). a MAC: for a multiply-accumulate;
plain: instructions of the same kernels without the DSP extension. promised: what the estimate
stays below, us. paper: Ren, Anicic, Runkler 2021, mean us on a Nano 33 BLE at 64 MHz."""
NO_CYCLES = """
Cycles are not estimated: that takes the machine unicorn, and capstone
(`pip install 'tinyol[emulator]'`)."""


def board_results(model: Path | None, options: Mapping[str, str]) -> dict[str, Any]:
    """A window of the bundle, the paper's pipeline, nets, learning parts and authentication.

    Args:
        model: None for the bundle that ships for 119 Hz; of a .tflite file there is only `nets`.
        options: of the URI: compiler, machine, optimize.

    Returns:
        JSON-able. window, paper: stages; net: the bundle's, with its layers; parts, ram: of each
        learning part by itself; access: the same of authentication.

    Raises:
        EmulatorError: compiler or emulator missing. BundleError, ModelError: of the model.
    """
    from tinyol_sim.benchmark.paper_bundle import paper_bundle
    from tinyol_sim.bundle import Bundle, default_bundle
    from tinyol_sim.emulator.bench import count_costs, count_instructions
    from tinyol_sim.emulator.net_bench import PLAIN, count_net, net_of

    compiler, machine = options.get("compiler"), options.get("machine", "unicorn")
    optimize = f"-{options.get('optimize', 'O2')}"

    def net_results(net: bytes) -> dict[str, Any]:
        dsp, plain = (
            count_net(net, compiler=compiler, optimize=optimize, machine=machine, extra=extra)
            for extra in ((), PLAIN)
        )
        return {"dsp": _net(dsp), "plain": _net(plain)}

    if model is not None and model.suffix == ".tflite":
        return {"net": net_results(net_of(model))}
    bundle = default_bundle() if model is None else Bundle.load(model)
    window, paper = (
        count_instructions(which, compiler=compiler, optimize=optimize, machine=machine)
        for which in (bundle, paper_bundle(bundle))
    )
    costs, access = (
        count_costs(compiler=compiler, optimize=optimize, machine=machine, program=program)
        for program in ("cost_main", "cost_access_main")
    )
    return {
        "window": {name: _counted(count) for name, count in window.items()},
        "paper": {name: _counted(count) for name, count in paper.items()},
        "net": net_results(net_of(bundle)),
        **_costs(costs),
        "access": _costs(access),
    }


def _counted(count: Instructions) -> dict[str, Any]:
    cycles = None if count.cycles is None else count.cycles._asdict()
    return {
        "median": count.median,
        "least": count.least,
        "most": count.most,
        "cycles": cycles,
    }


def _net(cost: NetCost) -> dict[str, Any]:
    layers = [
        {
            "kind": layer.kind,
            "n_in": layer.n_in,
            "n_out": layer.n_out,
            "instructions": _counted(layer.instructions),
        }
        for layer in cost.layers
    ]
    return {
        "instructions": _counted(cost.all),
        "multiply_accumulates": cost.multiply_accumulates,
        "instructions_per_mac": cost.instructions_per_mac,
        "cycles_per_mac": cost.cycles_per_mac,
        "output_crc": f"{cost.output_crc:08x}",
        "layers": layers,
    }


def _costs(costs: Costs) -> dict[str, Any]:
    parts = [
        {
            "name": part.name,
            "classes": part.classes,
            "features": part.features,
            "instructions": _counted(part.instructions),
        }
        for part in costs.parts
    ]
    return {"parts": parts, "ram": costs.ram}


# --- tables -------------------------------------------------------------------------------------


def print_board(found: Mapping[str, Any], name: str) -> None:
    """Its tables; name: of the bundle, or of the .tflite file."""
    from rich.console import Console

    from tinyol_host.cli.tables import print_table
    from tinyol_sim.emulator.bench import PAPER_US, PROMISED_US

    console = Console(highlight=False)

    def show(heading: str, *tables: Table) -> None:
        click.echo(heading + "\n")
        for table in tables:
            print_table(console, table)

    if "window" in found:
        show(f"One window of {name} on a Cortex-M4F", _stages_table(found["window"]))
        named = {stage: found["paper"][stage] for stage in (*PAPER_US, *PROMISED_US)}
        show("\nThe paper's pipeline on that net", _paper_table(named))
    show(f"\nThe net of {name} alone, with DSP instructions and without", _net_table(found["net"]))
    if "parts" in found:
        show("\nEach learning part by itself, whatever the model", _parts_table(found["parts"]))
        show("\nRAM of each for 8 classes and 8 features, bytes", _pairs(found["ram"]))
        access = found["access"]
        calls = {part["name"]: part["instructions"] for part in access["parts"]}
        ram = _pairs(access["ram"])
        show("\nAuthentication (SECURITY.md), and its RAM in bytes", _stages_table(calls), ram)
    click.echo(NOTE)
    if found["net"]["dsp"]["instructions"]["cycles"] is None:
        click.echo(NO_CYCLES)


def _new_table(first: str, columns: Iterable[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _estimates(cycles: Mapping[str, int] | None) -> tuple[str, str, str]:
    """Cycles, microseconds, and these at most."""
    from tinyol_sim.emulator.counting import CLOCK_MHZ

    if cycles is None:
        return "", "", ""
    us, most = cycles["estimate"] / CLOCK_MHZ, cycles["most"] / CLOCK_MHZ
    return f"{cycles['estimate']:,}", _rounded(us), _rounded(most)


def _rounded(us: float) -> str:
    return f"{us:.1f}" if us < 100 else f"{us:,.0f}"


def _stages_table(stages: Mapping[str, Any]) -> Table:
    table = _new_table("stage", ("instr.", "cycles", "us", "most"))
    for name, count in stages.items():
        table.add_row(name, f"{count['median']:,}", *_estimates(count["cycles"]))
    return table


def _paper_table(stages: Mapping[str, Any]) -> Table:
    from tinyol_sim.emulator.bench import PAPER_US, PROMISED_US

    columns = ("instr.", "cycles", "us", "most", "promised", "paper")
    table = _new_table("stage", columns)
    for name, count in stages.items():
        table.add_row(
            name,
            f"{count['median']:,}",
            *_estimates(count["cycles"]),
            f"{PROMISED_US[name]}" if name in PROMISED_US else "",
            f"{PAPER_US[name]:,}" if name in PAPER_US else "",
        )
    return table


def _net_table(net: Mapping[str, Any]) -> Table:
    dsp, plain = net["dsp"], net["plain"]
    columns = ("instr.", "a MAC", "cycles", "a MAC", "plain", "a MAC")
    table = _new_table("layer", columns)
    rows: list[tuple[str, int, Any, Any]] = [
        (
            f"{layer['kind'].rpartition(', ')[2]} {layer['n_in']} -> {layer['n_out']}",
            layer["n_in"] * layer["n_out"] if layer["kind"].startswith("fully") else 0,
            layer["instructions"],
            by_plain["instructions"],
        )
        for layer, by_plain in zip(dsp["layers"], plain["layers"], strict=True)
    ]
    rows.append(("all", dsp["multiply_accumulates"], dsp["instructions"], plain["instructions"]))
    for name, macs, count, by_plain in rows:
        cycles = None if count["cycles"] is None else count["cycles"]["estimate"]
        table.add_row(
            name,
            f"{count['median']:,}",
            _ratio(count["median"], macs),
            "" if cycles is None else f"{cycles:,}",
            _ratio(cycles, macs),
            f"{by_plain['median']:,}",
            _ratio(by_plain["median"], macs),
        )
    return table


def _ratio(of: int | None, to: int) -> str:
    return "" if of is None or to == 0 else f"{of / to:.2f}"


def _parts_table(parts: Sequence[Mapping[str, Any]]) -> Table:
    """Instructions and cycles, for the smallest shape and the largest."""
    shapes = sorted({(part["classes"], part["features"]) for part in parts if part["classes"]})
    shapes = [shapes[0], shapes[-1]]
    rows: dict[str, dict[tuple[int, int], Mapping[str, Any]]] = {}
    for part in parts:
        row = rows.setdefault(part["name"], {})
        for classes, features in shapes:
            if part["classes"] in (0, classes) and part["features"] in (0, features):
                row[classes, features] = part["instructions"]
    columns = [f"{classes} x {features}" for classes, features in shapes]
    table = _new_table("part", (columns[0], "cycles", columns[1], "cycles"))
    for name, row in rows.items():
        cells: list[str] = []
        for shape in shapes:
            cells += (f"{row[shape]['median']:,}", _estimates(row[shape]["cycles"])[0])
        table.add_row(name, *cells)
    return table


def _pairs(numbers: Mapping[str, int]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for name, number in numbers.items():
        table.add_row(name, f"{number:,}")
    return table
