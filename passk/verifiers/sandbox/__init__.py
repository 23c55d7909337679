"""Running programs that nobody vouches for.

| module | runs | does |
|---|---|---|
| `tiers` | parent | which isolation this machine allows, best first, shown to hold by trying it |
| `commands` | parent | the command that starts a zygote within a tier |
| `policy` | parent | the system calls that programs may make |
| `jail` | parent | one zygote: its process, its pipes, what it says |
| `request` | parent | what a run is asked to do, and how it ended |
| `runner` | parent | one queue of attempts over all zygotes |
| `values` | parent | reads values that programs returned, as data |
| `inside.zygote` | sandbox | forks a process per program, ends it, cleans up |
| `inside.program` | sandbox | limits itself, runs the program, sends what it returned |
| `inside.encode` | sandbox | values as text |
| `inside.scratch` | both | removes what a program wrote |

What is isolated and what is not stands in `docs/sandbox.md`.
"""
