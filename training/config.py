"""Configurations by name: every size and weight of a run, frozen, refusing nonsense at birth."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

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
    """Widths, depths and switches. ``input_px`` is the side of the square picture; tokens sit at
    stride 8. No ``segmentor_layers`` is no attention in the segmentor."""

    backbone: BackboneConfig = BackboneConfig()
    prompt: Literal["bank", "picture"] = "bank"
    """A bank of normal tokens a product, or OneNIP's one good picture of it."""
    reconstruction: bool = True
    """Whether the picture is rebuilt beside its prompt. A picture as prompt needs it; what a bank
    answers lies where the query lies and stands for itself."""
    text: bool = True
    fusion: bool = True
    """Whether the words reach the prompt and the decoder, and not the segmentor alone."""
    laterals: bool = True
    """Whether the segmentor sees the trunk at stride 4."""
    refinement: Literal["bridge", "ddpm"] = "bridge"
    input_px: Annotated[int, Field(ge=64, multiple_of=32)] = 256
    neck_dim: Count = 96
    detail_dim: Count = 16
    bank_tokens: Count = 2048
    axes: Literal["damage", "spread"] = "damage"
    """What tokens and details are seen on: what damage moves, or what varies most."""
    neighbourhood: Literal[1, 3] = 3
    """Side, in cells, of the mean that a token is made of."""
    memory_tokens: Annotated[int, Field(ge=0)] = 0
    """Of a second bank, of 3 × 3 means, that says how strange a place is. None: the first does."""
    memory_dim: Count = 96
    context_px: Annotated[int, Field(ge=0, multiple_of=32)] = 0
    """Side of a second, smaller look at the picture, at which another memory of that size says how
    strange larger things are. None, or none smaller than the picture: no second look; nor with a
    ViT, which sees pictures of one size, and all of one at once."""
    width: Count = 96
    heads: Count = 4
    encoder_layers: Count = 1
    decoder_layers: Count = 2
    neighbour_window: Count = 7
    text_dim: Count = 512
    segmentor_width: Count = 64
    segmentor_layers: Annotated[int, Field(ge=0)] = 1
    guide_channels: Count = 32
    outline_channels: Annotated[int, Field(ge=0)] = 0
    """Of a head that sharpens the map to stride 2 by the picture itself. None: stride 4."""
    refiner_channels: Count = 16
    refinement_steps: Count = 10
    beta: tuple[float, float] = (1e-4, 0.02)
    score_top: Share = 0.0025
    agreement: Share = 0.0
    """How much of the smaller of the two maps is added to the larger. None: the larger alone, and
    the memory is silent beside a sure segmentor."""
    memory_drawn: Annotated[float, Field(gt=0, le=1)] = 1.0
    """How much of the memory counts in where the map marks; how strongly it does is the score's."""

    @property
    def fused(self) -> bool:
        """Whether words reach prompt and decoder."""
        return self.text and self.fusion

    @property
    def residual_channels(self) -> int:
        """What the segmentor sees of the difference between a picture and its prompt."""
        if self.prompt == "picture":
            return self.neck_dim + 1
        return self.neck_dim * (1 + self.reconstruction) + 2

    @property
    def afar_px(self) -> int | None:
        """Side of the second look, where there is one."""
        return self.context_px if 0 < self.context_px < self.input_px else None

    @property
    def map_px(self) -> int:
        """Side of the map."""
        return self.input_px // (2 if self.outline_channels else 4)

    def within(self, channels: Sequence[int]) -> Self:
        """No more axes than a trunk of these channels, at strides 4, 8 and 16, has features."""
        c4, c8, c16 = channels
        sizes = {
            "neck_dim": min(self.neck_dim, c8 + c16),
            "memory_dim": min(self.memory_dim, c8 + c16),
            "detail_dim": min(self.detail_dim, c4),
        }
        return self.model_validate(self.model_dump() | sizes)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        """:class:`ValueError`, in words, where layers could not be built or would see nothing."""
        tokens = self.input_px // 16
        if self.width % (2 * self.heads) or 2 * self.segmentor_width % self.heads:
            raise ValueError("width must be a multiple of 2·heads, 2·segmentor_width of heads")
        if self.segmentor_width % GROUPS or self.guide_channels % GROUPS:
            raise ValueError(f"segmentor_width and guide_channels are multiples of {GROUPS}")
        if self.outline_channels % GROUPS:
            raise ValueError(f"outline_channels is a multiple of {GROUPS}")
        if not 0 < self.beta[0] <= self.beta[1] < 1:
            raise ValueError("beta rises, between 0 and 1")
        least = 2 * (self.neighbour_window // 2) + 2
        if self.reconstruction and tokens < least:
            raise ValueError(
                f"where a picture is rebuilt, a neighbour_window of {self.neighbour_window} needs "
                f"an input_px of {16 * least}"
            )
        return self

    @model_validator(mode="after")
    def _parts_belong_together(self) -> Self:
        """:class:`ValueError` where one is of no use without another."""
        if self.prompt == "picture" and (self.memory_tokens or not self.reconstruction):
            raise ValueError("a picture as prompt takes no memory_tokens, and needs reconstruction")
        if not (self.fusion or (self.text and self.reconstruction)):
            raise ValueError("without text and reconstruction there is no fusion to leave out")
        if self.context_px and not self.memory_tokens:
            raise ValueError("context_px needs memory_tokens")
        return self


class LossConfig(Frozen):
    """Weights of the loss terms, MODEL.md 2.2 (e). Gamma 0, alpha 0.5: plain cross-entropy."""

    focal: Annotated[float, Field(ge=0)] = 1.0
    focal_gamma: float = 2.0
    focal_alpha: Share = 0.75
    dice: float = 0.5
    coarse: float = 0.5
    outline: float = 1.0
    refined: float = 0.5


class DamageConfig(Frozen):
    """Shares of the synthetic anomalies. ``worn``, ``faint`` and ``crack`` are marked whole, all
    others where they show; ``on_part`` is put on the part where one lies on a plain background.
    ``as_taken`` is drawn on a smaller picture before it is enlarged, and as soft as the part.
    ``specks``, of those that are marked where they show, are as small as dust. ``solid`` marks them
    as a person would, without pinholes and crumbs."""

    worn: Share = 0.0
    faint: Share = 0.0
    crack: Share = 0.0
    on_part: Share = 0.0
    as_taken: bool = False
    specks: Share = 0.0
    solid: bool = False

    @model_validator(mode="after")
    def _no_more_than_all(self) -> Self:
        if self.worn + self.faint + self.crack > 1:
            raise ValueError("worn, faint and crack are more than all anomalies together")
        return self


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
    damage: DamageConfig = DamageConfig()
    held_out: Share = 0.15
    """Share of the goods kept from training, to set scales and choose the steps of refinement."""
    batch: Count = 16
    segmentor_steps: Count = 2600
    refiner_steps: Annotated[int, Field(ge=0)] = 700
    """None: the refiner is not trained, and the coarse map stands."""
    jitter: Annotated[float, Field(ge=0)] = 0.0
    """Gaussian noise on the tokens that the reconstruction sees, as a share of their size."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the average of the weights that a stage ends on."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Steps without a better training loss after which a stage ends. None: it takes all its steps,
    whose rate cools down as they end."""
    precision: Precision = "auto"
    """``auto``: bf16 where the CPU has it; one that emulates it takes four times as long."""


TINY: dict[str, Any] = {"minutes": 17.0}
SMALL: dict[str, Any] = {
    "minutes": 84.0,
    "pictures": 5000,
    "damage": {"crack": 0.2, "on_part": 0.8, "as_taken": True, "specks": 0.2, "solid": True},
    "segmentor_steps": 2000,
    "refiner_steps": 500,
    "model": {
        "neck_dim": 192,
        "bank_tokens": 6144,
        "axes": "spread",
        "neighbourhood": 1,
        "memory_tokens": 6144,
        "memory_dim": 192,
        "outline_channels": 16,
        "agreement": 1.0,
    },
}
FULL: dict[str, Any] = SMALL | {
    "minutes": 480.0,
    "pictures": 40000,
    "segmentor_steps": 40000,
    "refiner_steps": 8000,
    "model": SMALL["model"]
    | {
        "backbone": {"name": "efficientnet_b4"},
        "input_px": 384,
        "neck_dim": 256,
        "memory_dim": 256,
        "bank_tokens": 10240,
        "memory_tokens": 10240,
        "width": 256,
        "heads": 8,
        "encoder_layers": 4,
        "decoder_layers": 4,
        "segmentor_width": 128,
        "segmentor_layers": 2,
        "guide_channels": 48,
        "refiner_channels": 32,
    },
}
SIZES = {"tiny": TINY, "small": SMALL, "full": FULL}
"""``tiny`` and ``small`` train on two CPU cores; ``full`` is meant for a GPU."""

PICTURE: dict[str, Any] = {"prompt": "picture", "memory_tokens": 0, "outline_channels": 0}
OURS: dict[str, Any] = {
    "loss": {"focal_gamma": 0.0, "focal_alpha": 0.5, "dice": 0.1},
    "model": {
        "input_px": 384,
        "context_px": 256,
        "reconstruction": False,
        "memory_drawn": 0.5,
    },
}
"""In ``small`` and ``full``: docs/decisions/0013, 0015 and 0016."""
PUBLISHED: dict[str, Any] = {"model": PICTURE, "jitter": 1.2}  # OneNIP's jitter
FAMILIES: dict[str, dict[str, Any]] = {
    "onenip": {
        "model": PICTURE | {"text": False, "laterals": False, "segmentor_layers": 0},
        "loss": {"focal": 0.0, "dice": 1.0},
        "jitter": PUBLISHED["jitter"],
        "refiner_steps": 0,
    },
    "promptmad": PUBLISHED,
    "promptmad-bank": {},
}
"""The baseline, with its decoder mended; PromptMAD as published; and ours."""


ABLATIONS: dict[str, dict[str, Any]] = {
    "no-text": {"model": {"text": False}},
    "no-fusion": {"model": {"fusion": False}},
    "no-focal": {"loss": {"focal_gamma": 0.0, "focal_alpha": 0.5}},
    "focal": {"loss": LossConfig().model_dump()},
    "no-dice": {"loss": {"dice": 0.0}},
    "no-attention": {"model": {"segmentor_layers": 0}},
    "no-memory": {"model": {"memory_tokens": 0, "context_px": 0}},
    "no-context": {"model": {"context_px": 0}},
    "no-laterals": {"model": {"laterals": False}},
    "no-refinement": {"refiner_steps": 0},
    "reconstruction": {"model": {"reconstruction": True}},
    "ddpm": {"model": {"refinement": "ddpm"}},
}
"""What a name may end in: ``promptmad-small+no-text+ddpm``. ``focal`` gives the published loss to a
configuration that has another, and ``reconstruction`` to one that has none."""


def over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Settings on settings: where both speak, the upper word counts."""
    merged = dict(below)
    for key, value in above.items():
        merged[key] = merged.get(key, {}) | value if isinstance(value, dict) else value
    return merged


def _config(family: str, size: str) -> TrainConfig:
    settings = over(SIZES[size], FAMILIES[family])
    if family == "promptmad-bank" and size != "tiny":
        settings = over(settings, OURS)
    return TrainConfig.model_validate(settings | {"name": f"{family}-{size}"})


CONFIGS = {c.name: c for c in (_config(f, s) for f in FAMILIES for s in SIZES)}


def config_named(name: str) -> TrainConfig:
    """The configuration of that name; :class:`InputError` lists those there are, and refuses an
    ablation of what is not there, whose row in a table would be read as a finding."""
    base, *without = name.split("+")
    if base not in CONFIGS:
        raise InputError(f"There is no configuration {base!r}: choose from {', '.join(CONFIGS)}.")
    settings: dict[str, Any] = CONFIGS[base].model_dump()
    for ablation in without:
        if ablation not in ABLATIONS:
            raise InputError(
                f"There is no ablation {ablation!r}: choose from {', '.join(ABLATIONS)}."
            )
        before, settings = settings, over(settings, ABLATIONS[ablation])
        if settings == before:
            raise InputError(f"{base} is as {ablation!r} would make it: leave that out.")
    try:
        return TrainConfig.model_validate(settings | {"name": name})
    except ValidationError as error:
        raise InputError(f"There is no {name!r}: {error.errors()[0]['msg']}.") from error
