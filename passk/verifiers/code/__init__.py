"""Problems that programs solve, and how their results are judged.

| module | holds |
|---|---|
| `problems` | the gold formats, and the tests that they stand for |
| `options`, `time_limits` | what surrounds a program, and how long it may run |
| `code_blocks`, `extract_code` | blocks of code in a response; which of them is its program |
| `evalplus` | inputs and comparison rules of HumanEval+ and MBPP+ |
| `livecodebench` | rows and comparison rules of LiveCodeBench |
| `function_attempt`, `stdin_attempt` | runs of a program in the sandbox |
| `expected_outputs` | expected outputs, and how a program's outputs compare with them |
| `output_lines` | what a run sent, line by line |
| `reference_cache` | outputs of reference solutions on disk |
| `program_pool` | all of it together, for the grading stage |
"""
