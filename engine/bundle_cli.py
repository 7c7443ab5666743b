"""The commands that carry a bundle about: as one file, and with its maker's signature."""

from pathlib import Path
from typing import Annotated

import typer

keys = typer.Typer(no_args_is_help=True, help="Make keys, sign bundles, ask who signed one.")

BundleFolder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle folder.")]


def pack(
    bundle: BundleFolder,
    out: Annotated[Path, typer.Option(help="The zip file to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file.")] = False,
) -> None:
    """Write a bundle as one file."""
    from engine.archive import pack as packed

    typer.echo(str(packed(bundle, out, overwrite=overwrite)))


def unpack(
    archive: Annotated[Path, typer.Argument(help="A file from 'pack'.")],
    out: Annotated[Path, typer.Option(help="Bundle folder to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle.")] = False,
) -> None:
    """Make a bundle's folder from one file, checked whole; nothing else in it is taken."""
    from engine.archive import unpack as unpacked

    typer.echo(str(unpacked(archive, out, overwrite=overwrite)))


@keys.command()
def new(
    private: Annotated[Path, typer.Argument(help="File for the private key; keep it to yourself.")],
) -> None:
    """Make a pair of keys: PRIVATE to sign with, PRIVATE.pub for the stations."""
    from engine.signature import make_keys

    typer.echo(str(make_keys(private)))


@keys.command()
def sign(
    bundle: BundleFolder,
    key: Annotated[Path, typer.Option(help="The private key.")],
) -> None:
    """Sign a bundle: stations that trust the key take it, and no other."""
    from engine.bundle import read_bundle

    typer.echo(str(read_bundle(bundle).sign(key)))


@keys.command()
def check(
    bundle: BundleFolder,
    trusted: Annotated[list[Path], typer.Option(help="A public key; may be given again.")],
) -> None:
    """Say which of the trusted keys signed a bundle; exit code 2 if none did."""
    from engine.bundle import read_bundle

    typer.echo(f"{bundle}: signed by {read_bundle(bundle).signed_by(trusted)}")
