"""`enhance doctor`: what decides on how fast networks run on this machine."""

from __future__ import annotations

from dataclasses import asdict

from enhance_cli.cli import console
from enhance_cli.cli.options import Debug, Json


def doctor(json: Json = False, debug: Debug = False) -> None:
    """Show devices, runtimes, what was measured on this machine, and where it is kept."""
    from enhance_cli.runtimes.doctor import examine

    report = examine()
    if json:
        console.event("doctor", asdict(report))
        return
    runtimes = ", ".join(
        f"{name} {version or '(not installed)'}" for name, version in report.runtimes.items()
    )
    rows = [
        ("processor", f"{report.processor}, {report.threads} threads"),
        ("instructions", ", ".join(report.instructions)),
        ("devices", ", ".join(report.devices)),
        ("runtimes", runtimes),
        ("onnx runtime on", ", ".join(report.providers)),
        ("cache", f"{report.cache} ({report.cache_bytes / 1e6:.1f} MB)" if report.cache else ""),
    ]
    for one in report.measured:
        times = ", ".join(f"{name} {time:.1f} ms" for name, time in one.milliseconds.items())
        rows.append((one.network, f"{one.chosen} ({times})"))
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        console.data(console.visible(f"{name:<{width}}  {text or 'none'}"))
