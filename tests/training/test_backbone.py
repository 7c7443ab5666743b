"""Any timm trunk, at three strides; its weights whole or not at all."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from engine.types import InputError, MissingError
from tests.training.micro import MODEL, SIDE, write_weights
from training.model.backbone import Backbone, backbone_named, load_backbone


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_035", "efficientnet_b4", "test_vit"])
def test_a_trunk_is_read_at_three_strides(name: str) -> None:
    trunk = Backbone(backbone_named(name), SIDE).eval()
    levels = trunk(torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8))
    sizes = [(2, c, SIDE // s, SIDE // s) for c, s in zip(trunk.channels, (4, 8, 16), strict=True)]
    assert [tuple(f.shape) for f in levels] == sizes


def test_a_vit_of_other_patches_sees_as_many_cells() -> None:
    trunk = Backbone(backbone_named("vit_small_patch14_dinov2"), SIDE)
    assert (trunk.patch, trunk.net.model.patch_embed.grid_size) == (14, (4, 4))


def test_a_vits_positions_are_brought_to_the_picture(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = timm.create_model("test_vit")
    save_file(whole.state_dict(), tmp_path / "vit.safetensors")
    trunk = load_backbone(backbone_named("test_vit"), tmp_path / "vit.safetensors", SIDE)
    assert trunk.net.model.pos_embed.shape[1] < whole.pos_embed.shape[1]
    torch.testing.assert_close(trunk.net.model.pos_embed[:, 0], whole.pos_embed[:, 0])


def test_a_trunk_brings_the_normalisation_it_was_trained_with() -> None:
    assert backbone_named("vit_tiny_patch16_224").mean == (0.5, 0.5, 0.5)
    assert backbone_named("resnet18").mean == (0.485, 0.456, 0.406)
    with pytest.raises(InputError, match="no model 'resnet_18': see resnet18"):
        backbone_named("resnet_18")


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "levit_128"])
def test_a_trunk_without_these_strides_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is no trunk for this"):
        Backbone(backbone_named(name), SIDE)


def test_weights_are_loaded_whole_or_refused(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "ours.safetensors", seed=3)
    loaded = load_backbone(MODEL.backbone, path)
    again = Backbone(MODEL.backbone)
    assert any(
        (a - b).abs().max() > 1e-3
        for a, b in zip(loaded.parameters(), again.parameters(), strict=True)
    )
    assert not any(p.requires_grad for p in loaded.parameters())

    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="does not fit the backbone test_resnet"):
        load_backbone(MODEL.backbone, tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_backbone(MODEL.backbone, tmp_path / "cut.safetensors")
    with pytest.raises(InputError, match="no backbone weights"):
        load_backbone(MODEL.backbone, tmp_path / "none.safetensors")


def test_without_a_hub_nothing_falls_back_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("training.model.backbone._hub_state", unreachable)
    with pytest.raises(MissingError, match="--backbone-weights"):
        load_backbone(MODEL.backbone, None)
