"""`make bench`: all benchmarks in sequence, each in a separate process."""

import subprocess
import sys

BENCHMARKS = (
    "kernels",
    "derivatives",
    "thread_pools",
    "bfloat16",
    "time_to_quality",
    "siren_step",
    "time_to_35_db",
    "pde",
)


def main() -> None:
    """Run all benchmarks, or those named."""
    for name in sys.argv[1:] or BENCHMARKS:
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main()
