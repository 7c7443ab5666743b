"""A bundle comes back as it was written, and anything else is refused by name."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from engine.build import build
from engine.bundle import GRAPHS, Bundle, PromptTable, read_bundle, write_bundle
from engine.detector import Detector
from engine.known import KNOWN
from engine.sealed import SUMS, seal
from engine.types import BundleError, InputError
from tests.engine.tiny import make_tiny_bundle, spot_picture, tiny_manifest


def test_what_was_written_is_read(tiny: Bundle) -> None:
    assert tiny.manifest == tiny_manifest()
    assert tiny.prompts.words["disc"].abnormal == ("a broken disc",)
    assert tiny.prompts.embeddings.shape == (2, 2, 4)
    for name, (inputs, outputs) in GRAPHS.items():
        graph = tiny.graph(name).graph
        assert tuple(value.name for value in graph.input) == inputs
        assert tuple(value.name for value in graph.output) == outputs


def test_the_same_bundle_has_the_same_hash(tiny: Bundle, own_bundle: Path) -> None:
    again = read_bundle(own_bundle)
    assert again.sha256 == tiny.sha256
    assert again.sha256 == hashlib.sha256((own_bundle / SUMS).read_bytes()).hexdigest()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils")
def test_sums_are_in_the_format_of_sha256sum(tiny: Bundle) -> None:
    check = ["sha256sum", "--check", "--strict", SUMS]
    done = subprocess.run(check, cwd=tiny.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_missing_file_is_named(own_bundle: Path) -> None:
    (own_bundle / "step.onnx").unlink()
    with pytest.raises(BundleError, match=r"lacks its file step\.onnx: copy it again"):
        read_bundle(own_bundle)


def test_a_truncated_file_is_named(own_bundle: Path) -> None:
    trunk = own_bundle / "trunk.onnx"
    trunk.write_bytes(trunk.read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"truncated, edited or unreadable file, trunk\.onnx"):
        read_bundle(own_bundle)


def test_an_edited_byte_is_named(own_bundle: Path) -> None:
    table = bytearray((own_bundle / "prompts.npy").read_bytes())
    table[-1] ^= 1
    (own_bundle / "prompts.npy").write_bytes(table)
    with pytest.raises(BundleError, match=r"truncated, edited or unreadable file, prompts\.npy"):
        read_bundle(own_bundle)


def test_an_unreadable_file_is_named(own_bundle: Path) -> None:
    (own_bundle / "head.onnx").unlink()
    try:
        (own_bundle / "head.onnx").symlink_to(own_bundle / "nowhere")
    except OSError:
        pytest.skip("this system lets nobody make links")
    with pytest.raises(BundleError, match=r"unreadable file, head\.onnx"):
        read_bundle(own_bundle)


def test_an_extra_file_is_named(own_bundle: Path) -> None:
    (own_bundle / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"holds notes\.txt, which is not part of it"):
        read_bundle(own_bundle)


@pytest.mark.parametrize("sums", [b"", b"not a sum\n", b"\xff\xfe\x00"])
def test_unreadable_sums_are_refused(own_bundle: Path, sums: bytes) -> None:
    (own_bundle / SUMS).write_bytes(sums)
    with pytest.raises(BundleError, match="unreadable SHA256SUMS"):
        read_bundle(own_bundle)


def test_no_bundle_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="There is no bundle at"):
        read_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("schema_version", 2, "schema 2, this program reads up to 1: update"),
        ("schema_version", "one", "is not usable: schema_version"),
        ("products", [], "is not usable: products"),
        ("products", ["disc", "disc"], "a product is named twice"),
        ("surprise", 1, "is not usable: surprise"),
    ],
)
def test_a_wrong_manifest_is_refused(
    own_bundle: Path, key: str, value: object, sentence: str
) -> None:
    path = own_bundle / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    seal(own_bundle)
    with pytest.raises(BundleError, match=sentence):
        read_bundle(own_bundle)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"noise_share": [0, 1]}, "needs trained_steps"),
        ({"noise_share": [0.1 * t for t in range(10)] + [2]}, "rise from 0 to 1"),
        ({"default_steps": 11}, "default_steps is above"),
    ],
)
def test_a_schedule_that_does_not_fit_is_refused(
    own_bundle: Path, change: dict[str, object], sentence: str
) -> None:
    path = own_bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["refinement"] |= change
    path.write_text(json.dumps(manifest))
    seal(own_bundle)
    with pytest.raises(BundleError, match=sentence):
        read_bundle(own_bundle)


def test_a_bundle_is_replaced_only_on_request(own_bundle: Path) -> None:
    before = read_bundle(own_bundle)
    with pytest.raises(InputError, match="exists already"):
        _write(before, own_bundle, before.prompts)
    changed = PromptTable(before.prompts.words, before.prompts.embeddings + 1)
    assert _write(before, own_bundle, changed, overwrite=True).sha256 != before.sha256
    assert [path.name for path in own_bundle.parent.iterdir()] == ["bundle"]


def test_what_is_no_bundle_is_never_replaced(tiny: Bundle, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        _write(tiny, tmp_path, tiny.prompts, overwrite=True)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    assert read_bundle(make_tiny_bundle(tmp_path / "bundle")).manifest.name == "tiny"


def test_a_bundle_older_than_its_goods_knows_none(own_bundle: Path) -> None:
    (own_bundle / KNOWN).unlink()
    seal(own_bundle)
    assert read_bundle(own_bundle).goods == ()


@pytest.mark.parametrize(
    "text",
    ["product,sha256,score\na,b,high\n", "product,sha256\na,b\n", "product,sha256,score\na,b\n"],
)
def test_goods_that_cannot_be_read_are_named(own_bundle: Path, text: str) -> None:
    (own_bundle / KNOWN).write_text(text, "utf-8")
    seal(own_bundle)
    with pytest.raises(BundleError, match=r"known_goods\.csv is not usable: make .* again"):
        _ = read_bundle(own_bundle).goods


def test_a_failed_write_leaves_nothing(
    tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full_disk)
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        _write(tiny, tmp_path / "bundle", tiny.prompts)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_whose_sums_leave_out_a_graph_is_refused(own_bundle: Path) -> None:
    (own_bundle / "step.onnx").unlink()
    seal(own_bundle)
    with pytest.raises(BundleError, match=r"lacks its file step\.onnx: copy it again"):
        read_bundle(own_bundle)


def _junk(bundle: Path) -> None:
    (bundle / "trunk.onnx").write_bytes(b"nonsense")


def _empty(bundle: Path) -> None:
    (bundle / "trunk.onnx").write_bytes(b"")


def _swapped(bundle: Path) -> None:
    shutil.copyfile(bundle / "head.onnx", bundle / "trunk.onnx")


def _unsorted(bundle: Path) -> None:
    model = onnx.load(bundle / "trunk.onnx")
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    onnx.save(model, bundle / "trunk.onnx")


@pytest.mark.parametrize("spoil", [_junk, _empty, _swapped, _unsorted])
def test_what_is_no_such_graph_is_told_though_its_sum_is_right(
    own_bundle: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(own_bundle)
    seal(own_bundle)
    read_bundle(own_bundle)  # stays quick: graphs are parsed where they are needed
    with pytest.raises(BundleError, match=r"^\S+trunk\.onnx is not usable \(.+\): copy it again"):
        build(own_bundle, tmp_path / "plan", steps=1)


@pytest.mark.parametrize(
    ("name", "content"),
    [("prompts.json", b"{"), ("prompts.json", b"{}"), ("prompts.npy", b"\x93NUMPY\x01\x00\x02")],
)
def test_prompts_that_cannot_be_read_are_told(own_bundle: Path, name: str, content: bytes) -> None:
    (own_bundle / name).write_bytes(content)
    seal(own_bundle)
    with pytest.raises(BundleError, match=r"prompts\.\w+ is not usable \(.+\): copy it again"):
        _ = read_bundle(own_bundle).prompts


def test_graphs_outside_the_contract_are_refused(tiny: Bundle, tmp_path: Path) -> None:
    graphs = {name: tiny.graph(name) for name in GRAPHS}
    with pytest.raises(ValueError, match="a bundle has the graphs"):
        write_bundle(tmp_path / "b", tiny.manifest, {"trunk": graphs["trunk"]}, tiny.prompts)
    with pytest.raises(ValueError, match="step: inputs and outputs"):
        write_bundle(tmp_path / "b", tiny.manifest, graphs | {"step": graphs["head"]}, tiny.prompts)


def test_a_prompt_table_of_other_products_is_refused(tiny: Bundle, tmp_path: Path) -> None:
    words = dict(reversed(list(tiny.prompts.words.items())))
    with pytest.raises(ValueError, match="prompt table's products"):
        _write(tiny, tmp_path / "b", PromptTable(words, tiny.prompts.embeddings))
    with pytest.raises(ValueError, match="float32 of shape"):
        _write(tiny, tmp_path / "b", PromptTable(tiny.prompts.words, tiny.prompts.embeddings[:1]))


def _write(bundle: Bundle, folder: Path, prompts: PromptTable, overwrite: bool = False) -> Bundle:
    graphs: dict[str, onnx.ModelProto] = {name: bundle.graph(name) for name in GRAPHS}
    return write_bundle(folder, bundle.manifest, graphs, prompts, overwrite=overwrite)


def test_the_oldest_bundle_ever_shipped_is_read_and_built(tmp_path: Path) -> None:
    """Made by the commit that first shipped one (dbc02a8): no known goods, no golden pictures."""
    oldest = read_bundle(Path(__file__).with_name("oldest_bundle"))
    assert oldest.manifest.schema_version == 1
    assert (oldest.golden, oldest.goods) == (None, ())
    plan = build(oldest.folder, tmp_path / "plan", steps=2)
    with Detector.open(plan) as detector:
        assert detector.verify().pictures == 4
        assert detector.detect(spot_picture(), "disc").score > 5
