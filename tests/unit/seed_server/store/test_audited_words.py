"""`seed_server.store.audited_words`: one PC does not take the room of all others."""

from seed_server.store.audited_words import FURTHER_TEXTS, MAX_TEXTS_OF_PC, AuditedWords


def test_each_pc_says_so_many_different_texts_in_a_month() -> None:
    words = AuditedWords()
    for number in range(MAX_TEXTS_OF_PC):
        assert words.kept(1, f"made up {number}", 202611) == f"made up {number}"
    assert words.kept(1, "one more", 202611) == FURTHER_TEXTS
    assert words.kept(1, "made up 7", 202611) == "made up 7", "it is known"
    assert words.kept(1, "", 202611) == ""
    assert words.kept(2, "one more", 202611) == "one more", "another PC"
    assert words.kept(1, "one more", 202612) == "one more", "another month"
