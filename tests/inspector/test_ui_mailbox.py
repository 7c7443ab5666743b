"""The mailbox keeps the newest letter, once."""

from inspector.ui.mailbox import Mailbox


def test_only_the_newest_letter_is_kept() -> None:
    mailbox: Mailbox[int] = Mailbox()
    for letter in range(100):
        mailbox.put(letter)
    assert mailbox.take() == 99


def test_a_letter_is_read_once() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.put("part")
    assert mailbox.take() == "part"
    assert mailbox.take() is None
