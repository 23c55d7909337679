"""The methods that learn from rewards, on TRL's trainers.

Equations are those of the papers that `passk.methods` cites.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from passk.train.keeping import Keeper
from passk.train.reward import Grader
from passk.train.rollout import Roller
from passk.train.seams import Drawing


class Grpo(Drawing, GRPOTrainer):  # type: ignore[misc]
    """GRPO (Shao et al. 2024, eq. 3 with outcome rewards): advantages and loss are TRL's.

    A_i = (r_i - mean(r)) / std(r) over the responses to one problem; the clipped ratio's mean per
    response, then over responses; the KL term, where there is one, in the loss.
    """

    def _generate(self, prompts: list[str]) -> tuple[Any, ...]:
        """Return what TRL's own drawing returns, from ours."""
        asked, answered = self._rolled(prompts)
        texts = [sample.text for sample in self.rollout.samples]
        return asked, answered, None, texts, None, {}, None, []


def config(keeper: Keeper, output: Path, **changes: Any) -> dict[str, Any]:
    """Return the arguments that TRL's configurations of methods with rewards share."""
    settings, execution = keeper.task.settings, keeper.task.execution
    rows = settings["prompts"] * settings["group"]
    parts = int(execution.get("accumulate") or 1)
    group = settings["group"]
    return {
        **common(keeper, output),
        "per_device_train_batch_size": rows // parts,
        "gradient_accumulation_steps": parts,
        "steps_per_generation": parts,
        "num_generations": group if group > 1 else rows,  # only told from one another where >= 2
        "num_iterations": keeper.passes,
        "max_completion_length": settings["max_tokens"],
        "temperature": settings["temperature"],
        "top_p": settings["top_p"],
        "beta": settings["kl"],
        "epsilon": settings.get("clip", 0.2),
        "epsilon_high": settings.get("clip_high"),
        "shuffle_dataset": False,
        "disable_dropout": True,
        **changes,
    }


def common(keeper: Keeper, output: Path) -> dict[str, Any]:
    """Return the arguments that every trainer shares."""
    settings, execution = keeper.task.settings, keeper.task.execution
    return {
        "output_dir": str(output),
        "max_steps": keeper.due[-1] * keeper.passes,
        "learning_rate": settings["learning_rate"],
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": settings["warmup"] * keeper.passes,
        "weight_decay": settings["weight_decay"],
        "max_grad_norm": settings["max_grad_norm"],
        "optim": "adamw_torch_fused",
        "bf16": keeper.task.source.dtype == "bfloat16",
        "gradient_checkpointing": bool(execution.get("gradient_checkpointing")),
        "seed": settings["seed"],
        "logging_steps": keeper.passes,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": False,
        "average_tokens_across_devices": False,
    }


def grpo(keeper: Keeper, model: Any, tokenizer: Any, grader: Grader, output: Path) -> Any:
    """Return the trainer of GRPO."""
    arguments = config(keeper, output, loss_type="grpo", scale_rewards="group")
    return built(Grpo, GRPOConfig(**arguments), keeper, model, tokenizer, grader)


def built(
    kind: type, arguments: Any, keeper: Keeper, model: Any, tokenizer: Any, grader: Grader
) -> Any:
    """Return a trainer of a kind, with its seams in place."""
    task = keeper.task
    data = Dataset.from_dict({"prompt": [str(i) for i in range(len(task.problems))]})
    trainer = kind(
        model=model,
        reward_funcs=rewarded_elsewhere,
        args=arguments,
        train_dataset=data,
        processing_class=tokenizer,
    )
    trainer.keeper, trainer.task = keeper, task
    trainer.roller = Roller(task, trainer.draw, grader)
    return trainer


def rewarded_elsewhere(**_: Any) -> list[float]:
    """Stand where TRL wants a reward function; the verifier's rewards come by the seam."""
    raise NotImplementedError
