"""`python -m inspector`: for launchers that take a module, such as torchrun."""

from inspector.cli import main

if __name__ == "__main__":
    main()
