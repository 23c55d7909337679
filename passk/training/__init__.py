"""Training: from a task and problems to checkpoints, on the trainers of TRL.

`task` is what a training reads, `order` what it draws from, `rollout` the responses and their
rewards, `packing` their log-probabilities, `seams` where all of these enter TRL's trainers,
`keeping` what outlives a killed process.
"""
