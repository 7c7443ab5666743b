"""Configurations by name: every size and weight of a run, frozen, refusing nonsense at birth."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.types import InputError

Count = Annotated[int, Field(ge=1)]
Precision = Literal["auto", "32-true", "bf16-mixed"]
GROUPS = 8  # of the segmentor's group norm
Share = Annotated[float, Field(ge=0, le=1)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BackboneConfig(Frozen):
    """A timm model read at strides 4, 8 and 16; ``mean`` and ``std`` are of pictures in [0, 1]."""

    name: str = "resnet18"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


class ModelConfig(Frozen):
    """Widths and depths. ``input_px`` is the side of the square picture; tokens sit at stride 8."""

    backbone: BackboneConfig = BackboneConfig()
    input_px: Annotated[int, Field(ge=64, multiple_of=32)] = 256
    neck_dim: Count = 96
    detail_dim: Count = 16
    bank_tokens: Count = 2048
    width: Count = 96
    heads: Count = 4
    encoder_layers: Count = 1
    decoder_layers: Count = 2
    neighbour_window: Count = 7
    text_dim: Count = 512
    segmentor_width: Count = 64
    segmentor_layers: Count = 1
    guide_channels: Count = 32
    refiner_channels: Count = 16
    refinement_steps: Count = 10
    beta: tuple[float, float] = (1e-4, 0.02)
    score_top: Share = 0.0025

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        """:class:`ValueError`, in words, where layers could not be built or would see nothing."""
        tokens = self.input_px // 16
        if self.width % (2 * self.heads) or 2 * self.segmentor_width % self.heads:
            raise ValueError("width must be a multiple of 2·heads, 2·segmentor_width of heads")
        if self.segmentor_width % GROUPS or self.guide_channels % GROUPS:
            raise ValueError(f"segmentor_width and guide_channels are multiples of {GROUPS}")
        if not 0 < self.beta[0] <= self.beta[1] < 1:
            raise ValueError("beta rises, between 0 and 1")
        if tokens < 2 * (self.neighbour_window // 2) + 2:
            raise ValueError(f"a neighbour_window of {self.neighbour_window} hides all {tokens}")
        return self


class LossConfig(Frozen):
    """Weights of the loss terms, MODEL.md 2.2 (e)."""

    focal_gamma: float = 2.0
    focal_alpha: Share = 0.75
    dice: float = 0.5
    coarse: float = 0.5
    refined: float = 0.5


class TrainConfig(Frozen):
    """One run. ``minutes`` bound training (scales and export come after, about a minute);
    ``segmentor_steps`` and ``refiner_steps`` end a stage earlier."""

    name: str
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    seed: int = 0
    minutes: Annotated[float, Field(gt=0)] = 17.0
    pictures: Count = 5000
    """Synthetic pictures whose frozen features are cached."""
    clean_share: Share = 0.25
    """Share of those that carry no anomaly, so that the segmentor meets unspoilt parts too."""
    held_out: Share = 0.15
    """Share of the goods kept from bank and training, to set scales."""
    batch: Count = 16
    segmentor_steps: Count = 2600
    refiner_steps: Count = 700
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    precision: Precision = "auto"
    """``auto``: bf16 where the CPU has it; one that emulates it takes four times as long."""


CONFIGS: dict[str, TrainConfig] = {
    "promptmad-tiny": TrainConfig(name="promptmad-tiny"),
}


def config_named(name: str) -> TrainConfig:
    """The configuration of that name; :class:`InputError` lists those there are."""
    try:
        return CONFIGS[name]
    except KeyError:
        raise InputError(
            f"There is no configuration {name!r}: choose from {', '.join(CONFIGS)}."
        ) from None
