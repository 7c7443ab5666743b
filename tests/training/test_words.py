from pathlib import Path

import numpy as np
import open_clip
import pytest

from engine.types import InputError, MissingError
from training.prompts import DEFAULT_CLIP, ClipEncoder, HashEncoder, build_table
from training.words import Words, read_words

FILE = """\
names: {gear_m8: steel gear}
strict:
  normal: ["a clean {}"]
defects:
  gear_m8: [a bent tooth, rust]
"""


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "words.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_product_has_its_own_name_and_defects_beside_the_strict_words(tmp_path: Path) -> None:
    words = read_words(_written(tmp_path, FILE)).of("gear_m8")
    assert words["normal"] == ["a clean steel gear"]
    assert words["abnormal"][0] == "a damaged steel gear"
    assert words["abnormal"][-2:] == ["a steel gear with a bent tooth", "a steel gear with rust"]


def test_a_product_without_words_has_the_strict_ones(tmp_path: Path) -> None:
    assert read_words(_written(tmp_path, "")) == read_words(None) == Words()
    assert Words().of("optical_lens")["normal"][0] == "a flawless optical lens"
    assert Words().of("Schraube größer 5 µm")["abnormal"][1] == "a broken Schraube größer 5 µm"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("strict: {normal: [flawless]}", r"strict.normal.0: .*needs one \{\}"),
        ("strict: {normal: []}", "strict.normal: .*at least 1"),
        ("defects: {a: ['  ']}", "defects.a.0: .*a phrase is empty"),
        ("defects: {a: scratch}", "defects.a: "),
        ("defect: {a: [scratch]}", "defect: Extra inputs"),
        ("names: [unclosed", "is no YAML"),
        ("- a list", "is not usable: the file"),
    ],
)
def test_a_wrong_file_is_named_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_words(_written(tmp_path, text))


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no words to read at"):
        read_words(tmp_path / "none.yaml")
    (tmp_path / "image.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no words to read at"):
        read_words(tmp_path / "image.yaml")


def test_own_words_move_only_their_products_abnormal_row(tmp_path: Path) -> None:
    plain = build_table(["gear", "nut"], HashEncoder(64))
    words = read_words(_written(tmp_path, "defects: {gear: [rust]}"))
    table = build_table(["gear", "nut"], HashEncoder(64), words)
    np.testing.assert_array_equal(table.embeddings[1], plain.embeddings[1])
    np.testing.assert_array_equal(table.embeddings[0, 0], plain.embeddings[0, 0])
    assert np.abs(table.embeddings[0, 1] - plain.embeddings[0, 1]).max() > 0.01
    assert table.words["gear"]["abnormal"][-1] == "a gear with rust"


@pytest.mark.parametrize(
    ("model", "tag"),
    [
        (DEFAULT_CLIP, "openai"),
        ("ViT-L-14", "openai"),
        ("ViT-H-14", "laion2b_s32b_b79k"),
        ("ViT-B-16-SigLIP", "webli"),
    ],
)
def test_weights_are_asked_for_that_the_model_has(
    monkeypatch: pytest.MonkeyPatch, model: str, tag: str
) -> None:
    asked = []

    def create_model(name: str, pretrained: str) -> None:
        asked.append((name, pretrained))
        raise RuntimeError("the hub is out of reach")  # as open_clip says it

    monkeypatch.setattr(open_clip, "create_model", create_model)
    monkeypatch.setattr(open_clip, "get_tokenizer", lambda name: None)  # SigLIP's is on the hub
    with pytest.raises(MissingError, match=f"weights of {model} cannot be read from the hub"):
        ClipEncoder(model, None)
    assert asked == [(model, tag)]


def test_a_model_without_weights_is_told() -> None:
    with pytest.raises(InputError, match="has no weights of 'ViT-S-32-alt': give a checkpoint"):
        ClipEncoder("ViT-S-32-alt", None)
    with pytest.raises(InputError, match="open_clip has no model 'ViT-9000'"):
        ClipEncoder("ViT-9000", None)


@pytest.mark.parametrize("error", [ModuleNotFoundError("transformers"), OSError("no hub")])
def test_a_tokenizer_that_is_not_to_be_had_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def get_tokenizer(name: str) -> None:
        raise error

    monkeypatch.setattr(open_clip, "get_tokenizer", get_tokenizer)
    with pytest.raises(MissingError, match="tokenizer of ViT-B-16-SigLIP needs the package"):
        ClipEncoder("ViT-B-16-SigLIP", tmp_path / "siglip.pt")
