"""Problems that are solved by programs, and what judges the programs' results.

| module | holds |
|---|---|
| `problems` | the gold formats, and the tests that they stand for |
| `evalplus` | inputs and comparison rules of HumanEval+ and MBPP+ |
| `livecode` | comparison rules of LiveCodeBench |
| `attempts`, `scripts` | a program on its way through the sandbox |
| `expectation` | how its outputs compare with the expected ones |
| `lines` | what a run sent, line by line |
| `expected` | outputs of the reference solutions, kept by content |
| `programs` | the program of a response |
| `pool` | all of it together, as the grading stage uses it |
"""
