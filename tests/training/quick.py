"""Bundles without an export, which takes half a minute."""

import pytest

from tests.engine.tiny import tiny_graphs


def quick_export(patch: pytest.MonkeyPatch, products: int = 2) -> None:
    """For what stands beside a bundle's graphs: those are a tiny bundle's, real ones that have
    nothing to do with what the network answers; so nothing is kept of its answers either."""
    patch.setattr("training.export.export_graphs", lambda model: tiny_graphs(products, shrink=4))
    patch.setattr("training.train.answered", lambda model, shown: None)
