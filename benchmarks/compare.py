"""Compares this plugin with k6, Locust and wrk on the same service: one command, one table.

    python benchmarks/compare.py                       # everything, five rounds: 40 minutes
    python benchmarks/compare.py --workloads=a --rounds=3 --generators=plugin,k6
    python benchmarks/compare.py --list

It starts nginx on one core and runs the generators in turn on another, measures
the processes from outside, and prints Markdown. ``benchmarks/README.md`` says
what each figure means, and what to mind on a machine that is not quiet.
"""

import argparse
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path

from comparing.generators import GENERATORS, Generator, environment
from comparing.measuring import Run, run_once
from comparing.results import Pair, table
from comparing.service import Service, running_caddy, running_nginx, running_program
from comparing.workloads import Load, Workload, all_workloads

# Services that print their address, and send everything back.
ECHO = [sys.executable, "-m", "comparing.echo"]
GRPC_ECHO = [sys.executable, "-m", "comparing.grpc_echo"]

Running = AbstractContextManager[Service]


def measure(
    generator: Generator, workload: Workload, load: Load, service: Service, core: int | None
) -> Run:
    """Run `generator` once; arrivals are taken from the service's log."""
    run = run_once(
        generator.command(workload, load, service),
        environment(workload, load, service),
        service,
        core=core,
        log=service.folder / f"{generator.name}.log",
        watch_memory=workload.shows == "growth",
    )
    if workload.shows == "arrivals":
        return replace(run, arrivals=tuple(service.take_arrivals()))
    return run


def serving_times(
    generator: Generator, workload: Workload, service: Service, core: int | None
) -> list[float]:
    """Return how long nginx took for each request of a short run, in seconds, least first.

    A run of its own, because writing a log makes nginx slower.
    """
    measure(generator, workload, workload.base, service.as_logging(), core)
    return service.take_times()


def run_rounds(
    workload: Workload,
    generators: list[Generator],
    service: Service,
    rounds: int,
    core: int | None,
) -> dict[str, list[Pair]]:
    """Run `generators` in turn, each round starting with another one; repeat disturbed rounds."""
    able = [generator for generator in generators if generator.name in workload.generators]
    results: dict[str, list[Pair]] = {generator.name: [] for generator in able}
    for number in range(rounds * 2):
        title = f"({workload.key}) round {number + 1}/{rounds}"
        pairs: dict[str, Pair] = {}
        for turn in range(len(able)):
            generator = able[(number + turn) % len(able)]
            base = measure(generator, workload, workload.base, service, core)
            pair = Pair(base, measure(generator, workload, workload.load, service, core))
            pairs[generator.name] = pair
            if pair.is_disturbed:
                print(
                    f"{title}  {generator.name:7} was disturbed: the round is left out", flush=True
                )
                break
            print(
                f"{title}  {generator.name:7} {pair.full.requests:>9,} requests"
                f"  {pair.cpu_per_request * 1e6:8.1f} µs each  {pair.full.peak / 2**20:7.0f} MB",
                flush=True,
            )
        else:
            for name, pair in pairs.items():
                results[name].append(pair)
        if all(len(kept) == rounds for kept in results.values()):
            return results
    if not all(results.values()):
        sys.exit(f"({workload.key}): the machine is too busy to measure anything")
    return results


def find_generators(names: str) -> list[Generator]:
    """Return the generators that are here; say which are not."""
    found: list[Generator] = []
    for name in names.split(","):
        try:
            generator = GENERATORS[name]()
        except LookupError as missing:
            print(f"without {name}: {missing}")
            continue
        print(f"{name}: {generator.version()}")
        found.append(generator)
    return found


def start_services(
    workloads: list[Workload], there: Mapping[str, Running], stack: ExitStack
) -> dict[str, Service]:
    """Start those of the services `there` that `workloads` need; say which are missing."""
    started: dict[str, Service] = {}
    for name, running in there.items():
        if any(workload.service == name for workload in workloads):
            try:
                started[name] = stack.enter_context(running)
            except LookupError as missing:
                print(f"without the workloads against {name}: {missing}")
    return started


def cores(text: str) -> tuple[int | None, int | None]:
    """Return the generator's core and the service's; None where nothing can be pinned."""
    if text:
        first, second = map(int, text.split(","))
        return first, second
    there = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(there) < 2:
        print("! fewer than two cores: the service takes its time from the generators")
        return None, None
    return there[-1], there[0]


def print_machine() -> None:
    """Print what the figures depend on, and a warning if somebody else is at work."""
    busy = os.getloadavg()[0]
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, {platform.system()}")
    if busy > 0.5:
        print(f"! the machine is not quiet (load {busy:.1f}): look at ratios, not at microseconds")


def arguments() -> tuple[argparse.Namespace, list[Workload]]:
    """Return the options, and the workloads that they choose."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workloads", default="", help="letters (default: all)")
    parser.add_argument("--generators", default=",".join(GENERATORS), help="names, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of a run beyond its base of 1 s")
    parser.add_argument("--rate", type=int, default=5_000, help="of (g), per second")
    parser.add_argument("--idle-vus", type=int, default=20_000, help="of (i)")
    parser.add_argument("--growth-seconds", type=float, default=30, help="of each run of (h)")
    parser.add_argument("--cores", default="", help="generator's and service's, such as 1,0")
    parser.add_argument("--grpc-service", default=shlex.join(GRPC_ECHO), help="command of (r)")
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    parser.add_argument("--list", action="store_true", help="print the workloads and end")
    options = parser.parse_args()
    there = all_workloads(
        seconds=options.seconds,
        rate=options.rate,
        idle_vus=options.idle_vus,
        growth_seconds=options.growth_seconds,
    )
    letters = options.workloads.replace(",", "") or "".join(there)
    if unknown := set(letters) - there.keys():
        parser.error(f"there is no workload {unknown.pop()!r}; there are {', '.join(there)}")
    return options, [there[letter] for letter in letters]


def main() -> None:
    """Measure, and print a table for each workload."""
    options, workloads = arguments()
    if options.list:
        for workload in workloads:
            print(f"{workload.key}  {workload.about}: {', '.join(workload.generators)}")
        return
    print_machine()
    generators = find_generators(options.generators)
    core, service_core = cores(options.cores)
    tables = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running_nginx(Path(folder), service_core) as nginx,
        ExitStack() as stack,
    ):
        others = {
            "echo": running_program(nginx, ECHO, service_core),
            "grpc": running_program(nginx, shlex.split(options.grpc_service), service_core),
            "caddy": running_caddy(nginx, service_core),
        }
        services = {"nginx": nginx, **start_services(workloads, others, stack)}
        for chosen in workloads:
            if chosen.service not in services:
                continue
            rounds = run_rounds(chosen, generators, services[chosen.service], options.rounds, core)
            served = {
                generator.name: serving_times(generator, chosen, nginx, core)
                for generator in generators
                if generator.name in rounds and chosen.shows == "cpu" and chosen.service == "nginx"
            }
            tables.append(table(chosen, rounds, served))
            print(f"\n{tables[-1]}", flush=True)
    if options.out:
        options.out.write_text("\n".join(tables))


if __name__ == "__main__":
    main()
