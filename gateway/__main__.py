"""The ``gateway`` command, also as ``python -m gateway``."""

import gc


def main() -> None:
    """Load the command line, and run it."""
    # What loading makes lives as long as the process: looking for garbage in it took a tenth of a
    # start, and would again at each full collection of a worker.
    gc.disable()
    from gateway.cli.main import main as run  # noqa: PLC0415 (see above)

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
