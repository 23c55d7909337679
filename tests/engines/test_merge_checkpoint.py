"""`passk merge`: shards and adapters become folders that engines load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tiny_models import save_adapter, save_tiny  # noqa: E402

from passk.cli import main  # noqa: E402
from passk.engines.base import ModelSource  # noqa: E402
from passk.engines.model_location import location  # noqa: E402


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with its tokenizer."""
    return save_tiny(tmp_path_factory.mktemp("base"))


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of a folder that engines load."""
    model = transformers.AutoModelForCausalLM.from_pretrained(**location(ModelSource(str(folder))))
    return dict(model.state_dict())


def same_weights(one: Path, other: Path) -> bool:
    """Whether two folders hold the same weights."""
    first, second = weights_of(one), weights_of(other)
    return first.keys() == second.keys() and all(
        torch.allclose(first[name], second[name], atol=1e-6) for name in first
    )


def write_fsdp_shards(base: Path, folder: Path) -> None:
    """Write a model as FSDP writes it: a checkpoint of torch.distributed."""
    from torch.distributed import checkpoint

    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    with pytest.warns(UserWarning, match="save in a single process"):
        checkpoint.save({"model": model.state_dict()}, checkpoint_id=folder)


def test_shards_of_fsdp_become_the_model(base: Path, tmp_path: Path) -> None:
    checkpoint, merged = tmp_path / "checkpoint-1", tmp_path / "merged"
    write_fsdp_shards(base, checkpoint / "pytorch_model_fsdp_0")
    assert main(["merge", str(checkpoint), "--base", str(base), "-o", str(merged)]) == 0
    assert same_weights(merged, base)


def test_configuration_and_tokenizer_beside_the_shards_are_taken(
    base: Path, tmp_path: Path
) -> None:
    checkpoint, merged = tmp_path / "checkpoint-1", tmp_path / "merged"
    write_fsdp_shards(base, checkpoint / "pytorch_model_fsdp_0")
    for file in base.iterdir():
        if "safetensors" not in file.name:
            shutil.copy(file, checkpoint)
    assert main(["merge", str(checkpoint), "-o", str(merged)]) == 0
    assert same_weights(merged, base)


def test_an_adapter_is_added_to_its_base(base: Path, tmp_path: Path) -> None:
    adapter, expected, merged = (tmp_path / name for name in ("adapter", "expected", "merged"))
    save_adapter(base, adapter, expected)
    assert main(["merge", str(adapter), "--base", str(base), "-o", str(merged)]) == 0
    assert same_weights(merged, expected)
    assert not same_weights(merged, base)


def shards(name: str, folder: Path) -> None:
    """Write an empty file of a checkpoint in shards."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("model_world_size_2_rank_0.pt", "needs the package 'verl'"),
        ("global_step1/mp_rank_00_model_states.pt", "needs the package 'deepspeed'"),
        ("x.distcp", "accelerate could not merge the shards: "),
        ("model.safetensors", "nothing to merge"),
    ],
)
def test_what_cannot_be_merged_is_one_message_and_leaves_nothing(
    file: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "shards"
    shards(file, folder)
    assert main(["merge", str(folder), "-o", str(tmp_path / "merged")]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]


def test_an_output_that_is_there_is_not_replaced(base: Path, tmp_path: Path) -> None:
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "mine").touch()
    assert main(["merge", str(base), "-o", str(tmp_path / "merged")]) == 1
    assert (tmp_path / "merged" / "mine").exists()


def test_shards_without_a_configuration_ask_for_the_base(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fsdp_shards(base, tmp_path / "shards")
    assert main(["merge", str(tmp_path / "shards"), "-o", str(tmp_path / "merged")]) == 1
    assert "--base" in capsys.readouterr().err
    assert not (tmp_path / "merged").exists()


def test_a_broken_adapter_is_one_message(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = tmp_path / "adapter"
    save_adapter(base, adapter, tmp_path / "expected")
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"peft_type": "NONE"}))
    assert main(["merge", str(adapter), "--base", str(base), "-o", str(tmp_path / "m")]) == 1
    assert "cannot apply the adapter" in capsys.readouterr().err
