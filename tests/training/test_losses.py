import math

import torch

from training.config import LossConfig
from training.losses import covered, dice, focal, mask_loss, reconstruction, soft_target


def test_focal_of_one_pixel_is_the_papers_formula() -> None:
    p, gamma, alpha = 0.3, 2.0, 0.75
    logit = torch.tensor(math.log(p / (1 - p)))
    hit = focal(logit, torch.tensor(1.0), gamma, alpha)
    miss = focal(logit, torch.tensor(0.0), gamma, alpha)
    assert math.isclose(hit, -alpha * (1 - p) ** gamma * math.log(p), rel_tol=1e-5)
    assert math.isclose(miss, -(1 - alpha) * p**gamma * math.log(1 - p), rel_tol=1e-5)


def test_focal_stays_finite_on_extreme_logits() -> None:
    logits = torch.tensor([-1e4, 1e4], requires_grad=True)
    loss = focal(logits, torch.tensor([1.0, 0.0]), 2.0, 0.75)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_dice_is_near_zero_on_the_mask_itself_and_near_one_on_its_opposite() -> None:
    mask = torch.zeros(2, 1, 16, 16)
    mask[..., 4:12, 4:12] = 1
    sure = 40 * (mask - 0.5)
    assert dice(sure, mask) < 0.01
    assert dice(-sure, mask) > 0.95


def test_mask_loss_adds_focal_and_weighted_dice() -> None:
    config = LossConfig(dice=0.25)
    logit, mask = torch.randn(2, 1, 8, 8), torch.rand(2, 1, 8, 8)
    parts = focal(logit, mask, config.focal_gamma, config.focal_alpha) + 0.25 * dice(logit, mask)
    torch.testing.assert_close(mask_loss(logit, mask, config), parts)


def test_reconstruction_is_zero_only_where_it_is_exact() -> None:
    clean = torch.randn(2, 6, 4, 4)
    assert reconstruction(clean, clean).abs() < 1e-6
    assert reconstruction(clean + 0.1, clean) > 0.005


def test_a_hairline_is_a_defect_on_a_coarse_grid_and_what_it_covers_on_a_fine_one() -> None:
    mask = torch.zeros(1, 8, 8, dtype=torch.bool)
    mask[:, 3, :4] = True
    assert covered(mask, 4)[0, 0, 1].tolist() == [0.5, 0.5, 0, 0]
    assert soft_target(mask, 2)[0, 0].tolist() == [[0.5, 0], [0, 0]]
    assert soft_target(mask, 4)[0, 0, 1].tolist() == [1, 1, 0, 0]
