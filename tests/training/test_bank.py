import pytest
import torch

from training.model.bank import Bank, cells, coreset
from training.neighbours import Neighbours


def _bank() -> Bank:
    bank = Bank(products=2, size=3, dim=4, detail_dim=1)
    bank.tokens.copy_(torch.arange(24).reshape(2, 3, 4) / 8)
    bank.owner.copy_(torch.tensor([[0, 0, 1], [2, 3, 3]]))
    return bank


def test_the_nearest_token_of_the_own_product_answers() -> None:
    bank = _bank()
    wanted = bank.tokens[1, 2].float()
    query = (wanted + 0.01)[None, :, None, None].expand(1, 4, 2, 2)
    found = bank(query, torch.tensor([1]))
    torch.testing.assert_close(found.tokens, wanted[None, :, None, None].expand(1, 4, 2, 2))
    away = found.strange
    torch.testing.assert_close(away, torch.full((1, 1, 2, 2), 0.01), atol=1e-3, rtol=0)


def test_another_products_tokens_never_answer() -> None:
    bank = _bank()
    query = bank.tokens[1, 0].float()[None, :, None, None]
    found = bank(query, torch.tensor([0]))
    torch.testing.assert_close(found.tokens[0, :, 0, 0], bank.tokens[0, 2].float())
    assert found.strange > 0.1


def test_a_pictures_own_tokens_are_left_out() -> None:
    bank = _bank()
    query = bank.tokens[0, 2].float()[None, :, None, None]
    found = bank(query, torch.tensor([0]), leave_out=torch.tensor([1])).tokens
    torch.testing.assert_close(found[0, :, 0, 0], bank.tokens[0, 1].float())


def test_distances_are_those_of_a_plain_search() -> None:
    torch.manual_seed(0)
    bank = Bank(1, 50, 8, 1)
    bank.tokens.copy_(torch.randn(1, 50, 8))
    query = torch.randn(1, 8, 5, 5)
    found = bank(query, torch.tensor([0])).strange
    plain = torch.cdist(query[0].flatten(1).T, bank.tokens[0].float()).min(1).values / 8**0.5
    torch.testing.assert_close(found.flatten(), plain, atol=1e-4, rtol=1e-4)


def test_the_answers_details_lie_in_the_cells_they_came_from() -> None:
    bank = Bank(1, 2, 1, 1)
    bank.tokens.copy_(torch.tensor([[[0.0], [1.0]]]))
    bank.details.copy_(torch.tensor([[[1, 2, 3, 4], [5, 6, 7, 8]]]))
    details = bank(torch.tensor([[[[0.1, 0.9]]]]), torch.tensor([0])).details
    assert details[0, 0].tolist() == [[1, 2, 5, 6], [3, 4, 7, 8]]


def test_a_hole_elsewhere_is_no_answer_where_place_counts() -> None:
    """Two like tokens: without a pull the likeness decides, with one the place does."""
    bank = Bank(2, 2, 1, 1)
    bank.tokens.copy_(torch.tensor([[0.0], [1.0]]).expand(2, 2, 1))
    bank.place.copy_(torch.tensor([[0.0, 4.5], [0.0, -4.5]]).expand(2, 2, 2))
    bank.pull.copy_(torch.tensor([0.0, 2.0]))
    query = torch.zeros(2, 1, 1, 10)  # looks like the token of the right end, everywhere
    found = bank(query, torch.tensor([0, 1]))
    assert found.tokens[0].flatten().tolist() == [0] * 10
    assert found.tokens[1].flatten().tolist() == [1] * 5 + [0] * 5
    torch.testing.assert_close(
        found.away[1, 0, 0, :3], torch.tensor([0.0, 2.0, 4.0]), atol=2e-3, rtol=0
    )
    assert found.strange[1, 0, 0, 5] > 4 * found.strange[0, 0, 0, 5]


def _goods(places_alike: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens, places and owners of 40 pictures of 8 × 8 cells, each cell of its own look."""
    generator = torch.Generator().manual_seed(0)
    looks = 9 * torch.randn(64, 16, generator=generator)
    pictures = [
        looks if places_alike else looks[torch.randperm(64, generator=generator)] for _ in range(40)
    ]
    tokens = torch.cat(pictures)
    noisy = tokens + torch.randn(tokens.shape, generator=generator)
    return noisy, cells(8, 8).repeat(40, 1), torch.arange(40).repeat_interleave(64)


def test_place_counts_where_parts_lie_alike_and_nowhere_else() -> None:
    generator = torch.Generator().manual_seed(1)
    fixed, loose = (Neighbours(*_goods(alike), generator).pull for alike in (True, False))
    assert fixed > 4.0
    assert loose < 1.0


def test_a_coreset_covers_every_cluster_before_it_repeats_one() -> None:
    centres = 100 * torch.eye(5)
    tokens = (centres[:, None] + 0.1 * torch.randn(5, 40, 5)).flatten(0, 1)
    chosen = coreset(tokens, 5, torch.Generator().manual_seed(0))
    assert set((chosen // 40).tolist()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(("count", "size"), [(1500, 200), (10, 6)])
@pytest.mark.parametrize("alike", [False, True])
def test_a_coreset_is_that_of_a_search_that_reads_all_tokens_for_each(
    alike: bool, count: int, size: int
) -> None:
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randn(count, 6, generator=generator).round()
    if not alike:  # whole numbers are full of ties, which are taken in any order
        tokens += 0.3 * torch.randn(tokens.shape, generator=generator)
    chosen = coreset(tokens, size, torch.Generator().manual_seed(0))
    apart = torch.cdist(tokens, tokens)
    away = apart[chosen[0]].clone()
    for row in chosen[1:]:
        assert away[row].item() == pytest.approx(away.max().item(), abs=1e-3)
        away = torch.minimum(away, apart[row])
    assert len(chosen.unique()) == size


def test_a_coreset_of_too_few_tokens_takes_all_of_them() -> None:
    chosen = coreset(torch.randn(3, 2), 7, torch.Generator())
    assert set(chosen.tolist()) == {0, 1, 2}
    assert len(chosen) == 7


def test_place_counts_as_exactly_in_few_bits() -> None:
    """Tokens that are all alike, one at every place: each answers where it lies."""
    side = 32
    bank = Bank(1, side * side, 8, 1)
    bank.place[0] = cells(side, side)
    bank.pull.fill_(1.3)
    with torch.autocast("cpu", torch.bfloat16):
        found = bank(torch.zeros(1, 8, side, side), torch.tensor([0]))
    assert found.away.max() < 2e-3
