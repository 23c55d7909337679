"""The methods of TRL's trainers that passk replaces are those that it was written for.

Most are private, so TRL may change them in any release. A failure here means: read what changed in
TRL, mend passk's method if it has to follow, then update the digest.
"""

from __future__ import annotations

import hashlib
import inspect

import pytest

pytest.importorskip("trl")

from passk.training import grpo, ppo_family, sft

METHODS = {
    "GRPOTrainer._calculate_rewards": "736ae29b0838",
    "GRPOTrainer._compute_loss": "80295546bbdb",
    "GRPOTrainer._generate": "2a27fdf8f5e6",
    "GRPOTrainer._get_per_token_logps_and_entropies": "ea73c3909275",
    "GRPOTrainer._get_train_sampler": "36497afb4d31",
    "GRPOTrainer._prepare_inputs": "f824e7fb0714",
    "GRPOTrainer._save_checkpoint": "ec91bde12364",
    "GRPOTrainer.log": "1e7772819cc8",
    "GRPOTrainer.training_step": "9e18632f7dd8",
    "RLOOTrainer._calculate_rewards": "81ef76d93756",
    "RLOOTrainer._generate": "bf29664288f1",
    "RLOOTrainer._get_per_token_logps_and_entropies": "ea73c3909275",
    "RLOOTrainer._get_train_sampler": "36497afb4d31",
    "RLOOTrainer._prepare_inputs": "f824e7fb0714",
    "RLOOTrainer._save_checkpoint": "b6ee0a370c26",
    "RLOOTrainer.log": "98f8965a57ed",
    "RLOOTrainer.training_step": "9e18632f7dd8",
    "SFTTrainer._save_checkpoint": "b6ee0a370c26",
    "SFTTrainer.compute_loss": "ca448211ff65",
    "SFTTrainer.log": "0d4c8e5d64f8",
    "SFTTrainer.training_step": "bba41f264647",
    "_BaseTrainer._send_telemetry": "3e012069065d",
}
"""Method of TRL that one of passk's trainers replaces -> digest of its source (TRL 1.16.0)."""


def replaced() -> dict[str, str]:
    """Digests of TRL's methods that passk's trainers replace."""
    trainers = {
        kind
        for module in (grpo, ppo_family, sft)
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__.startswith("passk.training")
    }
    found = {}
    for kind in trainers:
        ours = [one for one in kind.__mro__ if one.__module__.startswith("passk")]
        theirs = [one for one in kind.__mro__ if one.__module__.startswith("trl")]
        names = {name for one in ours for name in vars(one) if not name.startswith("__")}
        for owner in theirs:
            for name in names & vars(owner).keys():
                if inspect.isfunction(method := vars(owner)[name]):
                    source = inspect.getsource(method).encode()
                    found[f"{owner.__name__}.{name}"] = hashlib.sha256(source).hexdigest()[:12]
    return found


def test_every_method_that_is_replaced_is_listed() -> None:
    assert replaced().keys() == METHODS.keys()


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_that_passk_replaces_is_as_it_was(name: str) -> None:
    assert replaced()[name] == METHODS[name], f"TRL changed {name}: see this module's docstring"
