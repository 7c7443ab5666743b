import torch

from training.model.bank import Bank, coreset, distance


def _bank() -> Bank:
    bank = Bank(products=2, size=3, dim=4)
    bank.tokens.copy_(torch.arange(24).reshape(2, 3, 4) / 8)
    bank.owner.copy_(torch.tensor([[0, 0, 1], [2, 3, 3]]))
    return bank


def test_the_nearest_token_of_the_own_product_answers() -> None:
    bank = _bank()
    wanted = bank.tokens[1, 2].float()
    query = (wanted + 0.01)[None, :, None, None].expand(1, 4, 2, 2)
    found = bank(query, torch.tensor([1]))
    torch.testing.assert_close(found, wanted[None, :, None, None].expand(1, 4, 2, 2))
    away = distance(query, found)
    torch.testing.assert_close(away, torch.full((1, 1, 2, 2), 0.01), atol=1e-3, rtol=0)


def test_another_products_tokens_never_answer() -> None:
    bank = _bank()
    query = bank.tokens[1, 0].float()[None, :, None, None]
    found = bank(query, torch.tensor([0]))
    torch.testing.assert_close(found[0, :, 0, 0], bank.tokens[0, 2].float())
    assert distance(query, found) > 0.1


def test_a_pictures_own_tokens_are_left_out() -> None:
    bank = _bank()
    query = bank.tokens[0, 2].float()[None, :, None, None]
    found = bank(query, torch.tensor([0]), leave_out=torch.tensor([1]))
    torch.testing.assert_close(found[0, :, 0, 0], bank.tokens[0, 1].float())


def test_distances_are_those_of_a_plain_search() -> None:
    torch.manual_seed(0)
    bank = Bank(1, 50, 8)
    bank.tokens.copy_(torch.randn(1, 50, 8))
    query = torch.randn(1, 8, 5, 5)
    found = distance(query, bank(query, torch.tensor([0])))
    plain = torch.cdist(query[0].flatten(1).T, bank.tokens[0].float()).min(1).values / 8**0.5
    torch.testing.assert_close(found.flatten(), plain, atol=1e-4, rtol=1e-4)


def test_a_coreset_covers_every_cluster_before_it_repeats_one() -> None:
    centres = 100 * torch.eye(5)
    tokens = (centres[:, None] + 0.1 * torch.randn(5, 40, 5)).flatten(0, 1)
    chosen = coreset(tokens, 5, torch.Generator().manual_seed(0))
    assert set((chosen // 40).tolist()) == {0, 1, 2, 3, 4}


def test_a_coreset_of_too_few_tokens_takes_all_of_them() -> None:
    chosen = coreset(torch.randn(3, 2), 7, torch.Generator())
    assert set(chosen.tolist()) == {0, 1, 2}
    assert len(chosen) == 7
